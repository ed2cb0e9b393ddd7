import { spkiPem } from "@darkmatter/proof";
import { describe, expect, type TestContext, test } from "vitest";
import { statusAt } from "../server/keys/agent-key.ts";
import { findAgentKey } from "../server/keys/agent-keys.store.ts";
import { findSigningKey } from "../server/keys/signing-keys.store.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { type TestAgent, type TestServer, testServer } from "./test-server.ts";

/** Public keys of RFC 8032 7.1. */
export const KEYS = [
  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
] as const;

export const base64Url = (hex: string) => Buffer.from(hex, "hex").toString("base64url");

const signing = (keyId: string, key: string = KEYS[0]) => ({ key_id: keyId, public_key: base64Url(key) });

/** What keys do on every database: run it on yours. */
export function keysSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });
  describe(`keys: ${name}`, () => {
    signingKeyTests(opened);
    agentKeyTests(opened);
  });
}

type Opened = (context: TestContext) => Promise<TestServer>;

function signingKeyTests(opened: Opened): void {
  const path = "/api/signing-keys";
  const post = (server: TestServer, by: TestAgent, body: object) => server.call({ path, body }, by);
  const revoke = (server: TestServer, by: TestAgent, keyId: string) =>
    server.call({ method: "DELETE", path: `${path}/${keyId}` }, by);

  test("a signing key is registered once; another key under its id is refused", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const answers = [
      await post(server, ana, { ...signing("laptop"), algorithm: "Ed25519", description: "of Ana" }),
      await post(server, ana, signing("laptop")),
      await post(server, ana, signing("laptop", KEYS[1])),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 409]);
    expect(answers[1]?.json).toEqual(answers[0]?.json);
    expect((await server.call({ path }, ana)).json).toMatchObject({
      keys: [{ key_id: "laptop", status: "active", public_key: base64Url(KEYS[0]), description: "of Ana" }],
    });
  });

  test("a revoked id names no key again, and a revoked key takes no other id", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    await post(server, ana, signing("laptop"));
    const first = await revoke(server, ana, "laptop");
    await server.clock.advance(5000);
    const second = await revoke(server, ana, "laptop");
    expect(second.json).toEqual(first.json);
    expect(first.json).toMatchObject({ key_id: "laptop", status: "revoked" });
    expect(await findSigningKey(server.db, ana.account, "laptop")).toMatchObject({ status: "revoked" });
    const again = [
      await post(server, ana, signing("laptop")),
      await post(server, ana, signing("laptop", KEYS[1])),
      await post(server, ana, signing("phone")),
    ];
    expect(again.map(({ status }) => status)).toEqual([409, 409, 409]);
    expect((await post(server, bo, signing("laptop"))).status).toBe(201);
  });

  test("a key of another account is as one that does not exist", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    await post(server, bo, signing("theirs"));
    const [theirs, unknown] = [await revoke(server, ana, "theirs"), await revoke(server, ana, "unknown")];
    expect([theirs.status, theirs.text]).toEqual([404, unknown.text]);
    expect((await server.call({ path }, ana)).json).toEqual({ keys: [] });
    expect(await findSigningKey(server.db, bo.account, "theirs")).toMatchObject({ status: "active" });
  });

  test("of two keys that come at once for one id, one is registered", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    // Several times: a pool first has to open the connections on which they can meet.
    for (const round of [1, 2, 3, 4]) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, at) => post(server, ana, signing(`one-${round}`, KEYS[at % 2]))),
      );
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, 200, 201, 409, 409, 409]);
    }
  });

  test("rows of keys and of their events are never changed or deleted", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await post(server, ana, signing("laptop"));
    await revoke(server, ana, "laptop");
    await server.call({ path: "/api/agents/keys", body: { publicKey: spkiPem(KEYS[0]) } }, ana);
    for (const [table, column] of [
      ["ledger_signing_keys", "key_id"],
      ["ledger_signing_key_ends", "key_id"],
      ["ledger_agent_keys", "key_id"],
      ["ledger_agent_key_events", "key_id"],
    ]) {
      for (const sql of [`UPDATE ${table} SET ${column} = 'x'`, `DELETE FROM ${table}`])
        await expect(server.db.write((tx) => tx.run(sql))).rejects.toThrow();
    }
  });
}

function agentKeyTests(opened: Opened): void {
  const path = "/api/agents/keys";
  const register = (server: TestServer, by: TestAgent, keyId: string, key: string, more: object = {}) =>
    server.call({ path, body: { publicKey: spkiPem(key), keyId, ...more } }, by);
  const rotate = (server: TestServer, by: TestAgent, from: string, to: string, key: string) =>
    server.call(
      { path: `${path}/rotate`, body: { currentKeyId: from, newKeyId: to, newPublicKey: spkiPem(key) } },
      by,
    );
  const revoke = (server: TestServer, by: TestAgent, keyId: string, reason = "lost") =>
    server.call({ path: `${path}/revoke`, body: { keyId, reason } }, by);
  const statusOf = async (server: TestServer, agent: string, keyId: string, atMs: number) => {
    const key = await findAgentKey(server.db, agent, keyId);
    return key && statusAt(key, atMs);
  };

  test("what counts is what a key was when a commit was accepted", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const startMs = server.clock.now();
    await server.clock.advance(1000);
    const validUntil = new Date(startMs + 60_000).toISOString();
    await register(server, ana, "first", KEYS[0]);
    await register(server, ana, "short", KEYS[1], { validUntil });
    await server.clock.advance(1000);
    const rotated = await rotate(server, ana, "first", "second", KEYS[2]);
    expect(rotated.json).toMatchObject({ old_key_id: "first", new_key_id: "second", key_version: 3 });
    await server.clock.advance(1000);
    expect((await revoke(server, ana, "second")).json).toMatchObject({ reason: "lost" });

    const at = async (keyId: string, ...afterMs: number[]) =>
      Promise.all(afterMs.map((ms) => statusOf(server, ana.id, keyId, startMs + ms)));
    expect(await at("first", 999, 1000, 1999, 2000, 9000)).toEqual([
      "early",
      "active",
      "active",
      "rotated",
      "rotated",
    ]);
    expect(await at("second", 1999, 2000, 2999, 3000)).toEqual(["early", "active", "active", "revoked"]);
    expect(await at("short", 59_999, 60_000)).toEqual(["active", "expired"]);
  });

  test("everybody may ask which key an agent had; an agent without keys is as an unknown one", async (context) => {
    await using server = await opened(context);
    const [ana, bo] = [await server.account(), await server.account()];
    const before = new Date(server.clock.now() - 1).toISOString();
    await register(server, ana, "first", KEYS[0]);
    const then = new Date(server.clock.now()).toISOString();
    await server.clock.advance(1000);
    await rotate(server, ana, "first", "second", KEYS[1]);
    const ask = (id: string, query = "") => server.call({ path: `/api/agents/${id}/pubkey${query}` });
    expect((await ask(ana.id)).json).toMatchObject({
      agent_id: ana.id,
      key_id: "second",
      key_version: 2,
      public_key_pem: spkiPem(KEYS[1]),
      status_at_commit_time: "active",
      is_revoked_now: false,
    });
    expect((await ask(ana.id, `?at=${then}`)).json).toMatchObject({
      key_id: "first",
      status_at_commit_time: "active",
      valid_until: new Date(server.clock.now()).toISOString(),
    });
    const refused = [
      await ask(bo.id),
      await ask("dm_0000000000000000"),
      await ask(ana.id, "?key_id=unknown"),
      await ask(ana.id, `?at=${before}`),
    ];
    expect(refused.map(({ status, text }) => [status, text])).toEqual(
      refused.map(() => [404, refused[1]?.text]),
    );
    expect((await ask(ana.id, "?at=yesterday")).status).toBe(400);
  });

  test("neither an id nor a key is registered twice; a revoked one stays revoked", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await register(server, ana, "first", KEYS[0]);
    const first = await revoke(server, ana, "first");
    await server.clock.advance(1000);
    expect((await revoke(server, ana, "first", "another")).json).toEqual(first.json);
    const refused = [
      await register(server, ana, "first", KEYS[1]),
      await register(server, ana, "second", KEYS[0]),
      await rotate(server, ana, "first", "second", KEYS[1]),
      await server.call({ path: `${path}/revoke`, body: { keyId: "first" } }, ana),
      await register(server, ana, "third", KEYS[1], { validUntil: "2001-01-01T00:00:00Z" }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
    expect(refused.map(({ json }) => (json as { code: string }).code)).toEqual([
      "key_exists",
      "key_exists",
      "key_not_active",
      "invalid_request",
      "invalid_request",
    ]);
    const { json } = await server.call({ path }, ana);
    expect(json).toMatchObject({
      agent_id: ana.id,
      keys: [{ key_id: "first", status: "revoked", revocation_reason: "lost" }],
      events: [{ event: "registered" }, { event: "revoked", reason: "lost" }],
    });
  });

  test("rotating a key to its own id changes nothing", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await register(server, ana, "default", KEYS[0]);
    expect((await rotate(server, ana, "default", "default", KEYS[1])).status).toBe(400);
    expect(await statusOf(server, ana.id, "default", server.clock.now())).toBe("active");
  });

  test("an agent changes no keys but its own, of its account neither", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    const cy = await server.agentOf(ana.account, "cy");
    await register(server, ana, "first", KEYS[0]);
    const [theirs, unknown] = [await revoke(server, cy, "first"), await revoke(server, cy, "unknown")];
    expect([theirs.status, theirs.text]).toEqual([404, unknown.text]);
    expect((await rotate(server, cy, "first", "second", KEYS[1])).status).toBe(404);
    expect((await server.call({ path }, cy)).json).toEqual({ agent_id: cy.id, keys: [], events: [] });
    expect(await statusOf(server, ana.id, "first", server.clock.now())).toBe("active");
  });

  test("of rotations that come at once, one happens", async (context) => {
    await using server = await opened(context);
    const ana = await server.account();
    await register(server, ana, "first", KEYS[0]);
    const answers = await Promise.all([
      rotate(server, ana, "first", "second", KEYS[1]),
      rotate(server, ana, "first", "third", KEYS[2]),
      rotate(server, ana, "first", "second", KEYS[2]),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    const { json } = await server.call({ path }, ana);
    expect((json as { keys: { key_version: number }[] }).keys.map((key) => key.key_version)).toEqual([1, 2]);
  });
}
