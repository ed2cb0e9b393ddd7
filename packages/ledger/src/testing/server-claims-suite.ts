import { canon1OfJson, type Json, readExactJson, sha256Hex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { attestationText, attestedHash, keyOfPem, spkiPem } from "@darkmatter/proof";
import { describe, expect, type TestContext, test } from "vitest";
import { insertAgent } from "../server/agents/agents.store.ts";
import { appendCommit } from "../server/commits/append.ts";
import { NO_CLAIMS } from "../server/commits/commit.ts";
import { commitOfAccount } from "../server/commits/commits.store.ts";
import { draftOf } from "../server/commits/new-commit.ts";
import { keyHint, newApiKey } from "../server/ids.ts";
import { base64UrlOf } from "../server/keys/admission.ts";
import { insertAgentKey, insertKeyEvent } from "../server/keys/agent-keys.store.ts";
import { endSigningKey, insertSigningKey } from "../server/keys/signing-keys.store.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { post, vectors } from "./server-commit-suite.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

/** What clients say and sign of their commits, on every database: run it on yours. */
export function serverClaimsSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });
  describe(`claims of clients: ${name}`, () => {
    envelopeSuite(opened);
    signatureSuite(opened);
    attestationSuite(opened);
  });
}

type Opened = (context: TestContext) => Promise<TestServer>;
type Answered = Readonly<Record<string, unknown>> & { readonly id: string };

/** An agent whose id is not ours to choose. */
async function agentWithId(server: TestServer, account: number, id: string): Promise<TestAgent> {
  const key = newApiKey(server.ports.random);
  const made = { role: null, provider: null, model: null, madeBy: "provision", spawnedBy: null } as const;
  const hashes = { keyHash: sha256Hex(key), keyHint: keyHint(key), createdMs: server.clock.now() };
  await server.db.write((tx) => insertAgent(tx, { id, account, name: id, ...made, ...hashes }));
  return { id, name: id, account, key };
}

const accepted = async (server: TestServer, by: TestAgent, body: object | string): Promise<Answered> => {
  const { status, json, text } = await post(server, by, body);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return json as unknown as Answered;
};

interface VectorStep {
  readonly json: string;
  readonly agent_id: string;
  readonly key_id: string;
  readonly envelope: Record<string, string>;
  readonly payload_hash: string;
  readonly integrity_hash: string;
  readonly agent_signature_hex: string;
}

function envelopeSuite(opened: Opened): void {
  test("chains signed by clients match, and their signatures are valid by a registered key", async (context) => {
    await using server = await opened(context);
    const { chains, public_key_pem } = vectors("chain_v2") as {
      chains: { steps: VectorStep[] }[];
      public_key_pem: string;
    };
    const { account } = await server.account();
    const agents = new Map<string, TestAgent>();
    for (const step of chains.flatMap(({ steps }) => steps)) {
      if (agents.has(step.agent_id)) continue;
      agents.set(step.agent_id, await agentWithId(server, account, step.agent_id));
      await registerAgentKey(server, step.agent_id, step.key_id, keyOfPem(public_key_pem) ?? "");
    }
    for (const { steps } of chains) {
      let parentId: string | null = null;
      for (const step of steps) {
        const claims = {
          parentId,
          strict: true,
          payload_hash: step.payload_hash,
          integrity_hash: step.integrity_hash,
          envelope: step.envelope,
          agent_signature: step.agent_signature_hex,
        };
        const body = `{"payload":${step.json},${JSON.stringify(claims).slice(1)}`;
        const commit = await accepted(server, agents.get(step.agent_id) as TestAgent, body);
        expect(commit.integrity_v2).toMatchObject({
          client_match: true,
          signature_status: "valid",
          integrity_hash: `sha256:${step.integrity_hash}`,
          envelope: step.envelope,
        });
        expect(commit).not.toHaveProperty("_warnings");
        parentId = commit.id;
      }
    }
  });

  test("what a client claims never replaces what is computed: it is a warning, or with `strict` a refusal", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const parent = await accepted(server, ana, { payload: { n: 0 } });
    const plain = await accepted(server, ana, { payload: { n: 1 }, parentId: parent.id });
    // As the existing SDK does: `root` for an explicit parent, `unknown` for an agent it was not told.
    const envelope = {
      schema_version: "2",
      agent_id: "unknown",
      key_id: "default",
      timestamp: "2026-11-21T09:59:58.999+00:00Z",
      payload_hash: "0".repeat(64),
      parent_integrity_hash: "root",
    };
    const body = {
      payload: { n: 1 },
      parentId: parent.id,
      clientPayloadHash: "1".repeat(64),
      clientIntegrityHash: sha256Hex(canon1OfJson(envelope)),
      envelope,
    };
    const claimed = await accepted(server, ana, body);
    expect(claimed._warnings).toEqual([
      "timestamp: ends in +00:00Z, read as UTC",
      "hash_mismatch: payload_hash",
      "hash_mismatch: envelope.agent_id",
      "hash_mismatch: envelope.parent_integrity_hash",
      "hash_mismatch: envelope.payload_hash",
      "hash_mismatch: envelope.timestamp",
      "hash_mismatch: integrity_hash",
    ]);
    expect(claimed.integrity).toMatchObject({
      payload_hash: (plain.integrity as { payload_hash: string }).payload_hash,
      integrity_hash: (plain.integrity as { integrity_hash: string }).integrity_hash,
    });
    expect(claimed).toMatchObject({
      event: { timestamp: "2026-11-21T09:59:58Z" },
      integrity_v2: {
        client_match: false,
        envelope: { agent_id: ana.id, timestamp: "2026-11-21T09:59:58Z" },
      },
    });
    const kept = await commitOfAccount(server.db, ana.account, claimed.id);
    expect(JSON.parse(kept?.claims.envelope ?? "")).toEqual(envelope);
    expect(kept?.payloadHash).toBe(sha256Hex('{"n":1}'));

    const strict = await post(server, ana, { ...body, strict: true });
    expect([strict.status, strict.json]).toEqual([400, expect.objectContaining({ code: "hash_mismatch" })]);
  });

  test.each([
    ["2026-11-21T10:00:00.999Z", "2026-11-21T10:00:00Z"],
    ["2026-11-21T12:30:00+02:30", "2026-11-21T10:00:00Z"],
    ["2026-11-21T10:00:00+00:00Z", "2026-11-21T10:00:00Z"],
    ["2026-11-21T10:00:00", undefined],
    ["2026-02-30T10:00:00Z", undefined],
    ["yesterday", undefined],
    [1_795_255_200, undefined],
  ])("a client's time %s is %s", async (timestamp, expected) => {
    await using server = await testServer();
    const ana = await server.account();
    const { status, json } = await post(server, ana, { payload: {}, envelope: { timestamp } });
    if (expected === undefined)
      expect([status, json]).toEqual([400, expect.objectContaining({ code: "invalid_timestamp" })]);
    else expect(json).toMatchObject({ event: { timestamp: expected } });
  });
}

const SEED_BYTES = 32;
const signerOf = (seed: number) => createSigner(new Uint8Array(SEED_BYTES).fill(seed));

async function registerAgentKey(server: TestServer, agent: string, keyId: string, publicKey: string) {
  const validFromMs = server.clock.now();
  await server.db.write((tx) =>
    insertAgentKey(tx, { agent, keyId, publicKey, validFromMs, validUntilMs: null }),
  );
}

function signatureSuite(opened: Opened): void {
  test("a signature counts only by the registered key in force, over the envelope that is stored", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const [key, other] = [signerOf(1), signerOf(2)];
    const payload = { n: 1 };
    const envelope = {
      agent_id: ana.id,
      key_id: "k",
      parent_integrity_hash: "root",
      payload_hash: sha256Hex(canon1OfJson(payload)),
      schema_version: "2",
      timestamp: "2026-11-21T10:00:00Z",
    };
    const signed = (by: typeof key, over: Record<string, Json> = envelope, more = {}) => ({
      payload,
      envelope: over,
      agent_signature: by.sign(canon1OfJson(over)),
      ...more,
    });
    const statusOf = async (body: object) => {
      const commit = await accepted(server, ana, body);
      const { signature_status } = commit.integrity_v2 as { signature_status: string };
      return [
        signature_status,
        (commit._warnings as string[] | undefined)?.includes(`signature: ${signature_status}`) ?? false,
      ];
    };
    const pem = (by: typeof key) => ({ agent_public_key: spkiPem(by.agentId) });

    expect(await statusOf({ payload, ...pem(key) })).toEqual(["none", false]);
    expect(await statusOf(signed(key))).toEqual(["no_key", true]);
    expect(await statusOf(signed(key, envelope, pem(key)))).toEqual(["unregistered_key", true]);

    await registerAgentKey(server, ana.id, "k", key.agentId);
    expect(await statusOf(signed(key))).toEqual(["valid", false]);
    const crlf = { agentPublicKey: spkiPem(key.agentId).replaceAll("\n", "\r\n").trim() };
    expect(await statusOf(signed(key, envelope, crlf))).toEqual(["valid", false]);
    expect(await statusOf(signed(other, envelope, pem(other)))).toEqual(["unregistered_key", true]);
    const elsewhere = { ...envelope, parent_integrity_hash: "0".repeat(64) };
    expect(await statusOf(signed(key, elsewhere))).toEqual(["envelope_mismatch", true]);

    for (const wrong of [
      signed(other),
      { ...signed(key), envelope: undefined },
      { ...signed(key), agent_signature: "00" },
      signed(key, envelope, { agent_public_key: "-----BEGIN PUBLIC KEY-----" }),
      signed(key, envelope, pem(other)),
    ]) {
      const { status, json } = await post(server, ana, wrong);
      expect([status, json]).toEqual([400, expect.objectContaining({ code: "signature_invalid" })]);
    }

    await server.clock.advance(1000);
    const event = {
      kind: "revoked",
      keyId: "k",
      newKeyId: null,
      reason: "lost",
      atMs: server.clock.now(),
    } as const;
    await server.db.write((tx) => insertKeyEvent(tx, ana.id, event));
    expect(await statusOf(signed(key))).toEqual(["unregistered_key", true]);
    expect(await statusOf(signed(key, envelope, pem(key)))).toEqual(["unregistered_key", true]);
  });
}

interface AttestationCase {
  readonly signing_seed_hex: string;
  readonly payload_json: string;
  readonly metadata_json: string | null;
  readonly parent_id: string | null;
  readonly completeness_claim: boolean | null;
  readonly agent_id: string;
  readonly client_attestation: Record<string, Json>;
}

const bodyOf = (one: AttestationCase, attestation: object = one.client_attestation) =>
  `{"payload":${one.payload_json},${one.metadata_json === null || one.metadata_json === "{}" ? "" : `"metadata":${one.metadata_json},`}` +
  JSON.stringify({
    parentId: one.parent_id,
    completeness_claim: one.completeness_claim,
    client_attestation: attestation,
  }).slice(1);

async function attestedWorld(server: TestServer) {
  const cases = vectors("attestation").cases as AttestationCase[];
  const { account } = await server.account();
  const agent = await agentWithId(server, account, cases[0]?.agent_id ?? "");
  const by = { kind: "key", account, agentId: agent.id, agentName: agent.name } as const;
  const wanted = { by, to: agent, parent: undefined, trace: null, branch: "main", event: "commit" } as const;
  const rest = {
    role: null,
    provider: null,
    model: null,
    timestamp: "2026-05-01T09:00:00Z",
    keyId: "default",
  };
  for (const id of new Set(cases.flatMap(({ parent_id }) => parent_id ?? []))) {
    const draft = draftOf(
      { ...wanted, ...rest, payload: "{}", claims: NO_CLAIMS },
      server.clock.now(),
      server.ports.random,
    );
    await server.db.write((tx) => appendCommit(tx, { ...draft, id }));
  }
  const register = ({ client_attestation: { key_id, public_key } }: AttestationCase) =>
    registerSigningKey(
      server,
      account,
      String(key_id),
      Buffer.from(String(public_key), "base64url").toString("hex"),
    );
  return { cases, account, agent, register };
}

async function registerSigningKey(server: TestServer, account: number, keyId: string, publicKey: string) {
  const createdMs = server.clock.now();
  await server.db.write((tx) =>
    insertSigningKey(tx, account, { keyId, publicKey, description: null, createdMs }),
  );
}

function attestationSuite(opened: Opened): void {
  test("attestations of the existing SDK hold; only a registered key makes them L3", async (context) => {
    await using server = await opened(context);
    const { cases, agent, register } = await attestedWorld(server);
    for (const one of cases) {
      const inline = await accepted(server, agent, bodyOf(one));
      expect(inline).toMatchObject({
        assurance_level: "L1",
        _warnings: ["attestation: unregistered_key"],
        timestamp_skew_warning: true,
      });
      await register(one);
      const commit = await accepted(server, agent, bodyOf(one));
      expect(commit).toMatchObject({ assurance_level: "L3", completeness_claim: one.completeness_claim });
      expect(commit).not.toHaveProperty("_warnings");
      const kept = await commitOfAccount(server.db, agent.account, commit.id);
      expect(JSON.parse(kept?.claims.attestation ?? "")).toEqual(one.client_attestation);
      const { public_key, ...without } = one.client_attestation;
      const bare = await accepted(server, agent, bodyOf(one, without));
      expect(bare).toMatchObject({ assurance_level: "L3" });
      const keptBare = await commitOfAccount(server.db, agent.account, bare.id);
      expect(JSON.parse(keptBare?.claims.attestation ?? "")).toEqual({ ...without, public_key });
    }
  });

  test("every way in which an attestation does not hold is told apart", async (context) => {
    await using server = await opened(context);
    const { cases, agent, account, register } = await attestedWorld(server);
    const one = cases[1] as AttestationCase;
    const { client_attestation: whole } = one;
    const reasonOf = async (body: string, by = agent) => {
      const { status, json } = await post(server, by, body);
      expect([status, json]).toMatchObject([
        400,
        { error: "attestation_failed", message: expect.any(String), code: "attestation_failed" },
      ]);
      return (json as { reason: string }).reason;
    };
    const changed = (change: object) => reasonOf(bodyOf(one, { ...whole, ...change }));
    const { public_key: _key, ...keyless } = whole;
    const { key_id: _id, ...nameless } = keyless;

    expect(await changed({ algorithm: "RS256" })).toBe("unsupported_algorithm");
    expect(await changed({ signature: "short" })).toBe("invalid_signature_format");
    expect(await changed({ signature: base64UrlOf("00".repeat(64)).padEnd(86, "A") })).toBe(
      "invalid_signature",
    );
    expect(await changed({ public_key: "short" })).toBe("invalid_public_key");
    expect(await changed({ envelope_hash: `sha256:${"0".repeat(64)}` })).toBe("envelope_hash_mismatch");
    expect(await changed({ payload_hash: `sha256:${"0".repeat(64)}` })).toBe("payload_hash_mismatch");
    expect(await changed({ metadata_hash: null })).toBe("metadata_hash_mismatch");
    expect(await reasonOf(bodyOf(one, keyless))).toBe("unknown_key_id");
    expect(await reasonOf(bodyOf(one, nameless))).toBe("missing_public_key");
    expect(await changed({ key_id: "a\u0000b", public_key: null })).toBe("unknown_key_id");
    expect(await reasonOf(bodyOf({ ...one, completeness_claim: null }))).toBe("envelope_hash_mismatch");
    expect(await reasonOf(bodyOf({ ...one, completeness_claim: false }))).toBe("envelope_hash_mismatch");
    expect(await reasonOf(bodyOf({ ...one, parent_id: null }))).toBe("envelope_hash_mismatch");
    expect(await reasonOf(bodyOf({ ...one, payload_json: '{"input":"y"}' }))).toBe("payload_hash_mismatch");
    const other = await server.agentOf(account, "other");
    expect(await reasonOf(bodyOf(one), other)).toBe("envelope_hash_mismatch");

    await registerSigningKey(server, account, String(whole.key_id), signerOf(9).agentId);
    expect(await reasonOf(bodyOf(one))).toBe("public_key_mismatch");
    const two = cases[5] as AttestationCase;
    await register(two);
    await server.db.write((tx) =>
      endSigningKey(tx, account, String(two.client_attestation.key_id), server.clock.now()),
    );
    expect(await reasonOf(bodyOf(two))).toBe("revoked_key");
  });

  test("a clock within five minutes is not off", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const key = signerOf(3);
    await registerSigningKey(server, ana.account, "mine", key.agentId);
    for (const [offMs, isSkewed] of [
      [-300_000, undefined],
      [300_001, true],
    ] as const) {
      const client_timestamp = new Date(server.clock.now() + offMs).toISOString();
      const facts = {
        agent_id: ana.id,
        client_timestamp,
        key_id: "mine",
        metadata_hash: null,
        parent_id: null,
      };
      const payload_hash = attestedHash(readExactJson('{"n":0.1}'));
      const text = attestationText({ ...facts, payload_hash });
      const client_attestation = {
        ...(JSON.parse(text) as object),
        public_key: base64UrlOf(key.agentId),
        envelope_hash: `sha256:${sha256Hex(text)}`,
        signature: Buffer.from(key.sign(text), "hex").toString("base64url"),
      };
      const commit = await accepted(server, ana, { payload: { n: 0.1 }, client_attestation });
      expect([commit.assurance_level, commit.timestamp_skew_warning]).toEqual(["L3", isSkewed]);
    }
  });
}
