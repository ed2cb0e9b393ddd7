import { canon1OfJson, exactOf, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { attestationText, attestedHash } from "@darkmatter/proof";
import type { SqlValue } from "@darkmatter/store";
import { expect } from "vitest";
import { appendCommit } from "../server/commits/append.ts";
import { NO_CLAIMS, type StoredCommit } from "../server/commits/commit.ts";
import { draftOf, storedOf } from "../server/commits/new-commit.ts";
import { base64UrlOf } from "../server/keys/admission.ts";
import { insertAgentKey } from "../server/keys/agent-keys.store.ts";
import { insertSigningKey } from "../server/keys/signing-keys.store.ts";
import { createServerLog } from "../server/log/server-log.ts";
import { secondsTime } from "../times.ts";
import type { TestAgent, TestServer } from "./test-server.ts";

const SEED_BYTES = 32;
const AGENT_KEY = createSigner(new Uint8Array(SEED_BYTES).fill(21));
const CLIENT_KEY = createSigner(new Uint8Array(SEED_BYTES).fill(22));

/** A team and its chain: two agents in turn, eight steps from position 0 on, the fourth signed and attested. */
export interface ChainWorld {
  readonly ana: TestAgent;
  readonly bo: TestAgent;
  /** In their order. */
  readonly ids: readonly string[];
  readonly tip: string;
}

/** The step that has everything a step can have; at position 3 its row completes two subtrees. */
export const SIGNED_STEP = 3;
const STEPS = 8;

export async function chainWorld(server: TestServer): Promise<ChainWorld> {
  const ana = await server.account("ana");
  const bo = await server.agentOf(ana.account, "bo");
  await registerKeys(server, bo);
  const ids: string[] = [];
  let parent: Committed | undefined;
  for (let step = 0; step < STEPS; step++) {
    const payload = { input: `question ${step}`, output: { answer: step, share: step / 4 } };
    const common = {
      payload,
      parentId: parent?.id ?? null,
      traceId: step < 2 ? null : "trc_team",
      agent: { provider: "local", model: `model-${step % 3}` },
    };
    parent = (await server.commit(
      step % 2 === 0 ? ana : bo,
      step === SIGNED_STEP ? { ...common, ...signedClaims(bo, payload, parent as Committed) } : common,
    )) as unknown as Committed;
    ids.push(parent.id);
  }
  return { ana, bo, ids, tip: ids.at(-1) ?? "" };
}

interface Committed {
  readonly id: string;
  readonly integrity_v2: { readonly integrity_hash: string };
}

async function registerKeys({ db, clock }: TestServer, { id, account }: TestAgent): Promise<void> {
  const nowMs = clock.now() - 1;
  await db.write(async (tx) => {
    await insertAgentKey(tx, {
      agent: id,
      keyId: "k1",
      publicKey: AGENT_KEY.agentId,
      validFromMs: nowMs,
      validUntilMs: null,
    });
    await insertSigningKey(tx, account, {
      keyId: "c1",
      publicKey: CLIENT_KEY.agentId,
      description: null,
      createdMs: nowMs,
    });
  });
}

/** What a client sends that signs its envelope, and attests with a key of its own. */
function signedClaims({ id }: TestAgent, payload: JsonObject, parent: Committed): JsonObject {
  const metadata = { session: "s-1" };
  const envelope = {
    agent_id: id,
    key_id: "k1",
    parent_integrity_hash: parent.integrity_v2.integrity_hash.replace("sha256:", ""),
    payload_hash: sha256Hex(canon1OfJson(payload)),
    schema_version: "2",
    timestamp: "2026-11-21T09:59:59Z",
  };
  const attested = {
    agent_id: id,
    client_timestamp: "2026-11-21T10:00:00Z",
    completeness_claim: true,
    key_id: "c1",
    metadata_hash: attestedHash(exactOf(metadata)),
    parent_id: parent.id,
    payload_hash: attestedHash(exactOf(payload)),
  };
  const text = attestationText(attested);
  return {
    metadata,
    envelope,
    agent_signature: AGENT_KEY.sign(canon1OfJson(envelope)),
    completeness_claim: true,
    client_attestation: {
      ...attested,
      algorithm: "Ed25519",
      version: "dm-envelope-v1",
      public_key: base64UrlOf(CLIENT_KEY.agentId),
      envelope_hash: `sha256:${sha256Hex(text)}`,
      signature: Buffer.from(CLIENT_KEY.sign(text), "hex").toString("base64url"),
    } as unknown as Json,
  };
}

type Answered = Record<string, Json> & { readonly steps: readonly Record<string, Json>[] };

/** What an agent reads at a path; fails the test for any status but 200. */
export async function readChain(server: TestServer, by: TestAgent, path: string): Promise<Answered> {
  const { status, json, text } = await server.call({ path }, by);
  expect([path, status, text.length > 0]).toEqual([path, 200, true]);
  return json as Answered;
}

export const signLog = (server: TestServer) => createServerLog(server.ports).checkpointNow();

/** Does what only somebody at the database could: the rules that hold everybody else are taken away first. */
export async function tamperServer(
  { db }: Pick<TestServer, "db">,
  table: string,
  sql: string,
  ...values: readonly SqlValue[]
): Promise<void> {
  await db.write(async (tx) => {
    if (db.dialect === "postgres") await tx.run(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    else {
      const triggers = await tx.all<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
        table,
      );
      for (const { name } of triggers) await tx.run(`DROP TRIGGER ${name}`);
    }
    await tx.run(sql, ...values);
  });
}

const AT_ONCE = 500;

/** A chain of so many steps, through the one append path but many to a transaction; their ids. */
export async function longChain(server: TestServer, by: TestAgent, steps: number): Promise<string[]> {
  const ids: string[] = [];
  let parent: StoredCommit | undefined;
  const caller = { kind: "key", account: by.account, agentId: by.id, agentName: by.name } as const;
  const nowMs = server.clock.now();
  for (let at = 0; at < steps; at += AT_ONCE) {
    await server.db.write(async (tx) => {
      for (let step = at; step < Math.min(steps, at + AT_ONCE); step++) {
        const payload = JSON.stringify({ input: `question ${step}`, output: `answer ${step}` });
        const named = {
          by: caller,
          to: by,
          parent,
          trace: null,
          branch: "main",
          event: "commit",
          keyId: "default",
        };
        const roles = { role: null, provider: null, model: null, timestamp: secondsTime(nowMs) };
        const draft = draftOf({ ...named, ...roles, payload, claims: NO_CLAIMS }, nowMs, server.ports.random);
        parent = storedOf(draft, await appendCommit(tx, draft));
        ids.push(draft.id);
      }
    });
  }
  return ids;
}
