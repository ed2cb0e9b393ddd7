import type { Json } from "@darkmatter/core";
import type { SqlValue } from "@darkmatter/store";
import { expect, type TestContext, test } from "vitest";
import { insertKeyEvent } from "../server/keys/agent-keys.store.ts";
import { endSigningKey } from "../server/keys/signing-keys.store.ts";
import { createServerLog } from "../server/log/server-log.ts";
import {
  type ChainWorld,
  chainWorld,
  readChain,
  SIGNED_STEP,
  signLog,
  tamperServer,
} from "./server-chain-world.ts";
import type { TestServer } from "./test-server.ts";

type Opened = (context: TestContext) => Promise<TestServer>;

const AT = SIGNED_STEP;
const set = (column: string) => `UPDATE ledger_commits SET ${column} = ? WHERE position = ${AT}`;

/** What is done to the row of the signed step, and how the reason begins. */
const DAMAGES: readonly (readonly [column: string, change: (was: SqlValue) => SqlValue, reason: RegExp])[] = [
  ["payload_hash", flipped(0), /payload is not|integrity hash/],
  ["chain_hash", flipped(31), /integrity hash is not/],
  ["integrity_hash", flipped(5), /envelope is not/],
  ["leaf", flipped(9), /leaf is not/],
  ["log_root", flipped(9), /log root/],
  ["nodes", flipped(3), /nodes/],
  ["nodes", flipped(40), /nodes/],
  ["nodes", () => new Uint8Array(), /nodes/],
  ["parent", () => 1, /integrity hash/],
  ["parent", () => null, /integrity hash|parent/],
  ["parent", () => 6, /integrity hash|parent/],
  ["parent", () => 999, /integrity hash|parent/],
  ["depth", () => 9, /depth/],
  ["root", () => 2, /first commit/],
  ["client_time", () => "2026-11-21T09:59:58Z", /envelope/],
  ["key_id", () => "k2", /envelope/],
  ["accepted_ms", (was) => Number(was) + 1000, /leaf/],
  ["agent", () => "dm_0000000000000000", /read/],
  ["claims", () => "{", /read/],
  ["claims", edited("agentSignature", "0".repeat(128)), /signature is invalid/],
  ["claims", edited("agentSignature", undefined), /signature is none/],
  ["claims", edited("signatureStatus", "none"), /signature is valid/],
  ["claims", edited("metadata", '{"session":"s-2"}'), /metadata_hash_mismatch/],
  ["claims", edited("attestation", undefined), /attestation/],
  ["claims", edited("completenessClaim", false), /attestation/],
];

function flipped(at: number) {
  return (was: SqlValue): SqlValue => {
    const bytes = Uint8Array.from(was as Uint8Array);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
}

function edited(name: string, value: Json | undefined) {
  return (was: SqlValue): SqlValue => JSON.stringify({ ...JSON.parse(String(was)), [name]: value });
}

/** That verifying a chain names what was done to it, on every database. */
export function chainTamperSuite(opened: Opened): void {
  test("whatever is changed in a commit's row, verifying names that commit", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    for (const isSigned of [false, true]) {
      if (isSigned) await signLog(server);
      for (const [column, change, reason] of DAMAGES) {
        const row = await server.db.get(`SELECT ${column} AS was FROM ledger_commits WHERE position = ${AT}`);
        const was = row?.was ?? null;
        await tamperServer(server, "ledger_commits", set(column), change(was));
        const found = await verdictOf(server, world);
        expect([column, String(change(was)), found]).toEqual([
          column,
          String(change(was)),
          { chain_intact: false, broken_at: world.ids[AT], reason: expect.stringMatching(reason) },
        ]);
        await tamperServer(server, "ledger_commits", set(column), was);
      }
      expect(await verdictOf(server, world)).toMatchObject({ chain_intact: true });
    }
  });

  test("lists claim no level that looking again does not give, whatever the row says of itself", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    expect(await listed(server, world)).toEqual([
      ["valid", "L3", true, "valid"],
      ["valid", "L3"],
    ]);
    const ofContent = /payload|integrity|envelope|signature|attestation|metadata/;
    for (const [column, change, reason] of DAMAGES.filter(([, , reason]) => ofContent.test(reason.source))) {
      const row = await server.db.get(`SELECT ${column} AS was FROM ledger_commits WHERE position = ${AT}`);
      const was = row?.was ?? null;
      await tamperServer(server, "ledger_commits", set(column), change(was));
      const [pulled, replayed] = await listed(server, world);
      const statement = [column, String(change(was)), reason.source];
      expect([...statement, pulled?.[1], pulled?.[2]]).toEqual([...statement, "L1", false]);
      if (replayed) expect([...statement, ...replayed]).toEqual([...statement, "broken", "L1"]);
      await tamperServer(server, "ledger_commits", set(column), was);
    }
    const unsigned = `UPDATE ledger_commits SET claims = ? WHERE position = ${AT - 1}`;
    const claims = {
      clientMatch: null,
      signatureStatus: "none",
      completenessClaim: null,
      clientSigned: true,
    };
    await tamperServer(server, "ledger_commits", unsigned, JSON.stringify(claims));
    expect((await listed(server, world, AT - 1))[0]).toEqual(["broken", "L1", false, "none"]);
    const signed = { ...claims, clientSigned: false, signatureStatus: "valid" };
    await tamperServer(server, "ledger_commits", unsigned, JSON.stringify(signed));
    expect((await listed(server, world, AT - 1))[0]).toEqual(["broken", "L1", false, "none"]);
  });

  test("a row that can no longer be read is named where it stood; the others are given", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const { ids, bo, tip } = world;
    const damages: [string, SqlValue][] = [
      ["claims", "{"],
      ["agent", "dm_0000000000000000"],
      // More than a number holds.
      ["depth", 2 ** 60],
    ];
    // What PostgreSQL's columns refuse to hold, SQLite's do not.
    if (server.db.dialect === "sqlite") damages.push(["leaf", 7], ["client_time", new Uint8Array(3)]);
    for (const [column, value] of damages) {
      const row = await server.db.get(`SELECT ${column} AS was FROM ledger_commits WHERE position = ${AT}`);
      await tamperServer(server, "ledger_commits", set(column), value);
      const named = { id: ids[AT], log_position: AT, valid: false, reason: "its row can no longer be read" };
      const { contexts } = await readChain(server, bo, "/api/pull");
      const sound = (at: number) => ({ id: ids[at], integrity: { verification_status: "valid" } });
      expect(contexts).toMatchObject([sound(7), sound(5), named, sound(1)]);
      for (const path of ["/api/search", "/api/search?verified=false"]) {
        const { results } = await readChain(server, bo, path);
        expect(results).toContainEqual(expect.objectContaining(named));
      }
      const { results } = await readChain(server, bo, "/api/search?verified=true");
      expect(results).toHaveLength(7);
      const { replay } = await readChain(server, bo, `/api/replay/${tip}`);
      expect((replay as Json[])[AT]).toMatchObject(named);
      expect((replay as Json[]).length).toBe(8);
      const cut = await readChain(server, bo, `/api/diff/${tip}/${ids[AT + 1]}`);
      const unread = { id: ids[AT], payload: null, unreadable: true, reason: named.reason };
      expect(cut.steps[AT]).toMatchObject({ a: unread, b: unread, diff: { payloadChanged: false } });
      expect(cut).toMatchObject({
        lengthA: 8,
        lengthB: AT + 2,
        commonAncestor: ids[AT + 1],
        identical: false,
      });
      await tamperServer(server, "ledger_commits", set(column), row?.was ?? null);
    }
    const payload = `UPDATE ledger_payloads SET payload = ? WHERE position = ${AT}`;
    await tamperServer(server, "ledger_payloads", payload, '{"a":');
    const { contexts } = await readChain(server, bo, "/api/pull");
    const status = { verification_status: "broken", verification_reason: expect.stringContaining("payload") };
    expect((contexts as Json[])[2]).toMatchObject({ id: ids[AT], payload: null, integrity: status });
    const diff = await readChain(server, bo, `/api/diff/${tip}/${ids[AT]}`);
    expect(diff.steps[AT]).toMatchObject({ a: { payload: null }, b: { payload: null } });
  });

  test("whatever a row of SQLite holds, it is answered that it cannot be read", async (context) => {
    await using server = await opened(context);
    if (server.db.dialect !== "sqlite") return;
    const world = await chainWorld(server);
    const damages: [string, string, SqlValue][] = [
      ["ledger_commits", "chain_hash", -1],
      ["ledger_commits", "integrity_hash", 3.5],
      ["ledger_payloads", "payload", new Uint8Array(0)],
      ["ledger_payloads", "payload", new Uint8Array(8)],
    ];
    for (const [table, column, value] of damages) {
      const row = await server.db.get(`SELECT ${column} AS was FROM ${table} WHERE position = ${AT}`);
      const update = `UPDATE ${table} SET ${column} = ? WHERE position = ${AT}`;
      await tamperServer(server, table, update, value);
      for (const path of ["/api/pull", "/api/search", "/api/search?q=question", "/api/search?verified=true"])
        await readChain(server, world.bo, path);
      expect(await verdictOf(server, world)).toMatchObject({ chain_intact: false, broken_at: world.ids[AT] });
      await tamperServer(server, table, update, row?.was ?? null);
    }
  });

  test("a comparison says of both chains and each side of a step whether it verifies", async (context) => {
    await using server = await opened(context);
    const { bo, ids, tip } = await chainWorld(server);
    const compared = () => readChain(server, bo, `/api/diff/${tip}/${ids[AT + 1]}`);
    const side = { id: ids[AT], valid: true };
    const sound = await compared();
    expect(sound).toMatchObject({ chainIntactA: true, chainIntactB: true, brokenAtA: null, reasonB: null });
    expect(sound.steps[AT]).toMatchObject({ a: side, b: side });
    expect(JSON.stringify(sound.steps[AT])).not.toContain("reason");
    const hash = await server.db.get("SELECT payload_hash AS was FROM ledger_commits WHERE position = 7");
    const cut = "UPDATE ledger_commits SET payload_hash = ? WHERE position = 7";
    const shorter = Uint8Array.from(hash?.was as Uint8Array).slice(0, 31);
    await tamperServer(server, "ledger_commits", cut, shorter);
    const onlyA = await compared();
    expect(onlyA).toMatchObject({ chainIntactA: false, brokenAtA: tip, chainIntactB: true, brokenAtB: null });
    expect(onlyA.steps[7]).toMatchObject({ a: { valid: false, reason: expect.any(String) }, b: null });
    await tamperServer(server, "ledger_commits", cut, hash?.was ?? null);

    const forged = '{"input":"forged"}';
    const payload = `UPDATE ledger_payloads SET payload = ? WHERE position = ${AT}`;
    await tamperServer(server, "ledger_payloads", payload, forged);
    const both = await compared();
    const reason = "the payload is not what its hash says";
    const at = { chainIntactA: false, chainIntactB: false, brokenAtA: ids[AT], brokenAtB: ids[AT] };
    expect(both).toMatchObject({ ...at, reasonA: reason, reasonB: reason });
    const marked = { ...side, valid: false, reason };
    expect(both.steps[AT]).toMatchObject({ a: marked, b: marked, diff: { payloadChanged: false } });
    expect((both.chainB as Json[])[AT]).toMatchObject({ step: AT + 1, ...marked });
    const isValid = both.steps.map(({ a }) => (a as { readonly valid: boolean }).valid);
    expect(isValid.filter(Boolean)).toHaveLength(7);
    // Its hashes hold; its place in the log does not.
    const leaf = "UPDATE ledger_commits SET leaf = ? WHERE position = 0";
    await tamperServer(server, "ledger_commits", leaf, new Uint8Array(32));
    const misplaced = expect.stringContaining("leaf is not");
    expect((await compared()).steps[0]).toMatchObject({ a: { valid: false, reason: misplaced } });
  });

  test("of a step that cannot be read nobody says by which model it was made, or that it is like another", async (context) => {
    await using server = await opened(context);
    const { bo, ids, tip } = await chainWorld(server);
    const body = { fromCtxId: ids[AT - 1], suggestedModel: "small" };
    const forked = (await server.call({ path: `/api/fork/${tip}`, body }, bo)).json as {
      readonly id: string;
    };
    await tamperServer(server, "ledger_commits", set("claims"), "{");
    const { steps, identical } = await readChain(server, bo, `/api/diff/${tip}/${forked.id}`);
    expect(identical).toBe(false);
    expect(steps[AT]).toMatchObject({
      a: { id: ids[AT], unreadable: true },
      b: { id: forked.id, valid: true },
      diff: { payloadChanged: true, modelChanged: false, providerChanged: false },
    });
  });

  test("a changed, unreadable or missing payload is named, wherever it lies", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const payload = "UPDATE ledger_payloads SET payload = ? WHERE position = ?";
    for (const position of [0, 5, 7]) {
      const row = await server.db.get<{ was: string }>(
        "SELECT payload AS was FROM ledger_payloads WHERE position = ?",
        position,
      );
      const was = row?.was ?? "";
      for (const text of [was.replace("question", "qvestion"), "{"]) {
        await tamperServer(server, "ledger_payloads", payload, text, position);
        expect(await verdictOf(server, world)).toMatchObject({
          chain_intact: false,
          broken_at: world.ids[position],
        });
        await tamperServer(server, "ledger_payloads", payload, was, position);
      }
    }
    await tamperServer(server, "ledger_payloads", "DELETE FROM ledger_payloads WHERE position = 4");
    expect(await verdictOf(server, world)).toEqual({
      chain_intact: false,
      broken_at: world.ids[4],
      reason: "the payload is missing",
    });
  });

  test("a key that was revoked before a commit signs it no more; revoked later, it did", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const { bo, ana, ids } = world;
    const signature = () => readChain(server, ana, `/api/commits/${ids[AT]}/signature`);
    const acceptedMs = server.clock.now();
    const revoked = { kind: "revoked", keyId: "k1", newKeyId: null, reason: "lost" } as const;
    await server.db.write((tx) => insertKeyEvent(tx, bo.id, { ...revoked, atMs: acceptedMs + 1 }));
    expect(await signature()).toMatchObject({
      result: "revoked_post_commit",
      verified: true,
      note: "the key was revoked later: lost",
    });
    expect(await verdictOf(server, world)).toMatchObject({ chain_intact: true });
    const earlier = "UPDATE ledger_agent_key_events SET at_ms = ? WHERE kind = 'revoked'";
    await tamperServer(server, "ledger_agent_key_events", earlier, acceptedMs);
    expect(await signature()).toMatchObject({ result: "revoked_key", verified: false });
    expect(await verdictOf(server, world)).toEqual({
      chain_intact: false,
      broken_at: ids[AT],
      reason: "the agent's signature is revoked_key",
    });
  });

  test("an attestation counts only by a key that was registered and not revoked then", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const { account } = world.ana;
    await server.db.write((tx) => endSigningKey(tx, account, "c1", server.clock.now() + 1));
    expect(await verdictOf(server, world)).toMatchObject({ chain_intact: true });
    const earlier = "UPDATE ledger_signing_key_ends SET revoked_ms = ?";
    await tamperServer(server, "ledger_signing_key_ends", earlier, server.clock.now());
    expect(await verdictOf(server, world)).toEqual({
      chain_intact: false,
      broken_at: world.ids[AT],
      reason: "the client's attestation does not hold: unknown_key_id",
    });
  });

  test("a commit that another account was given ends the chain, which says so", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const { account } = await server.account("eve");
    await tamperServer(
      server,
      "ledger_commits",
      "UPDATE ledger_commits SET account = ? WHERE position = 2",
      account,
    );
    expect(await verdictOf(server, world)).toEqual({
      chain_intact: false,
      broken_at: world.ids[3],
      reason: "its parent is missing",
    });
    const { text } = await server.call({ path: `/api/replay/${world.tip}` }, world.ana);
    expect(text).not.toContain("question 2");
  });

  test("a chain is proven in the tree that was signed, not in one that was put in its place", async (context) => {
    await using server = await opened(context);
    const world = await chainWorld(server);
    const checkpoint = await signLog(server);
    const change = "UPDATE ledger_checkpoints SET server_sig = ?";
    await tamperServer(server, "ledger_checkpoints", change, "0".repeat(128));
    expect(await verdictOf(server, world)).toEqual({
      chain_intact: false,
      broken_at: null,
      reason: `the log did not sign the checkpoint ${checkpoint?.checkpoint_id}`,
    });
    await tamperServer(server, "ledger_checkpoints", change, checkpoint?.server_sig ?? "");
    // Signed as it should be, but of another tree: what an operator would have who rewrote the log.
    const { server_sig } = await otherTree(server);
    const root = "ab".repeat(32);
    await tamperServer(
      server,
      "ledger_checkpoints",
      `UPDATE ledger_checkpoints SET tree_root = '${root}', server_sig = ?`,
      server_sig,
    );
    expect(await verdictOf(server, world)).toMatchObject({
      chain_intact: false,
      broken_at: world.ids[0],
      reason: "the tree does not lead from its leaf to the root",
    });
  });
}

async function otherTree(server: TestServer): Promise<{ server_sig: string }> {
  const { checkpointText } = await import("@darkmatter/proof");
  const latest = await createServerLog(server.ports).checkpoints.latest(server.db);
  if (!latest) throw new TypeError("no checkpoint");
  return { server_sig: server.ports.logKey.sign(checkpointText({ ...latest, tree_root: "ab".repeat(32) })) };
}

async function verdictOf(server: TestServer, { ana, tip }: ChainWorld) {
  const { chain_intact, broken_at, reason } = await readChain(server, ana, `/api/verify/${tip}`);
  return { chain_intact, broken_at, reason };
}

/** Status, level, whether the client signed, and how: of the signed step as it is pulled, and as it is replayed. */
async function listed(server: TestServer, { bo, ids, tip, ana }: ChainWorld, at = AT) {
  const by = at === AT ? bo : ana;
  const { contexts } = await readChain(server, by, "/api/pull");
  const { replay } = await readChain(server, by, `/api/replay/${tip}`);
  const { results } = await readChain(server, by, "/api/search");
  const of = (list: unknown) => (list as Passport[]).find(({ id }) => id === ids[at]);
  const [pulled, replayed] = [of(contexts), of(replay)];
  expect(of(results)).toMatchObject(pulled ?? {});
  return [
    pulled && [
      pulled.integrity.verification_status,
      pulled.assurance_level ?? "L1",
      pulled.assurance?.client_signed ?? false,
      pulled.integrity_v2?.signature_status,
    ],
    replayed && [replayed.integrity.verification_status, replayed.assurance_level ?? "L1"],
  ];
}

interface Passport {
  readonly id: string;
  readonly integrity: { readonly verification_status: string };
  readonly assurance_level?: string;
  readonly assurance?: { readonly client_signed: boolean };
  readonly integrity_v2?: { readonly signature_status: string };
}
