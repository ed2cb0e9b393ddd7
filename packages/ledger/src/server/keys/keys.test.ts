import { createSigner } from "@darkmatter/identity";
import { spkiPem } from "@darkmatter/proof";
import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { base64Url, KEYS, keysSuite } from "../../testing/server-keys-suite.ts";
import { testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";
import { insertAgentKey } from "./agent-keys.store.ts";
import { KEYS_MAX } from "./signing-keys.ts";

keysSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

/** Points of small order, and a y that is not below the prime. */
const INADMISSIBLE = [
  "0".repeat(64),
  `01${"0".repeat(62)}`,
  `ec${"f".repeat(60)}7f`,
  `ee${"f".repeat(60)}7f`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
];

test("keys that nobody could hold are refused, for accounts and for agents", async () => {
  await using server = await testServer();
  const ana = await server.account();
  for (const key of INADMISSIBLE) {
    const body = { key_id: "k", public_key: base64Url(key) };
    const answers = [
      await server.call({ path: "/api/signing-keys", body }, ana),
      await server.call({ path: "/api/agents/keys", body: { publicKey: spkiPem(key) } }, ana),
    ];
    for (const { status, json } of answers)
      expect([status, json]).toMatchObject([400, { code: "key_invalid" }]);
  }
});

test.each([
  ["a PEM", spkiPem(KEYS[0])],
  ["standard base64", Buffer.from(`${KEYS[0].slice(0, 62)}ff`, "hex").toString("base64")],
  ["padding", `${base64Url(KEYS[0])}=`],
  ["a space", `${base64Url(KEYS[0])} `],
  ["31 bytes", base64Url(KEYS[0].slice(2))],
  ["33 bytes", base64Url(`${KEYS[0]}00`)],
  ["bits left over", `${base64Url(KEYS[0]).slice(0, -1)}p`],
  ["hex", KEYS[0]],
  ["nothing", ""],
])("%s is no signing key", async (_what, publicKey) => {
  await using server = await testServer();
  const ana = await server.account();
  const body = { key_id: "k", public_key: publicKey };
  const { status, json } = await server.call({ path: "/api/signing-keys", body }, ana);
  expect([status, json]).toMatchObject([400, { code: "key_invalid" }]);
});

test.each([
  ["base64url", base64Url(KEYS[0])],
  ["a private key's header", spkiPem(KEYS[0]).replaceAll("PUBLIC", "PRIVATE")],
  ["two keys", spkiPem(KEYS[0]) + spkiPem(KEYS[1])],
  ["another algorithm", spkiPem(KEYS[0]).replace("MCowBQYDK2Vw", "MCowBQYDK2Vv")],
])("%s is no key of an agent", async (_what, publicKey) => {
  await using server = await testServer();
  const ana = await server.account();
  const { status, json } = await server.call({ path: "/api/agents/keys", body: { publicKey } }, ana);
  expect([status, json]).toMatchObject([400, { code: "key_invalid" }]);
});

test("a PEM may end its lines as Windows does, or without the last end", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const texts = [spkiPem(KEYS[0]).replaceAll("\n", "\r\n"), spkiPem(KEYS[1]).trimEnd()];
  for (const [at, publicKey] of texts.entries()) {
    const body = { publicKey, keyId: `k${at}` };
    expect((await server.call({ path: "/api/agents/keys", body }, ana)).status).toBe(200);
  }
});

test.each(["", "a/b", "a b", "x".repeat(101), "naïve", "a\n"])("%j names no key", async (keyId) => {
  await using server = await testServer();
  const ana = await server.account();
  const signing = { key_id: keyId, public_key: base64Url(KEYS[0]) };
  const agents = { keyId, publicKey: spkiPem(KEYS[0]) };
  expect((await server.call({ path: "/api/signing-keys", body: signing }, ana)).status).toBe(400);
  expect((await server.call({ path: "/api/agents/keys", body: agents }, ana)).status).toBe(400);
});

test("another algorithm is refused", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const body = { key_id: "k", public_key: base64Url(KEYS[0]), algorithm: "RS256" };
  expect((await server.call({ path: "/api/signing-keys", body }, ana)).status).toBe(400);
});

test("without a credential no key is touched", async () => {
  await using server = await testServer();
  const calls = [
    { path: "/api/signing-keys" },
    { path: "/api/signing-keys", body: {} },
    { method: "DELETE", path: "/api/signing-keys/k" },
    { path: "/api/agents/keys" },
    { path: "/api/agents/keys", body: {} },
    { path: "/api/agents/keys/rotate", body: {} },
    { path: "/api/agents/keys/revoke", body: {} },
  ];
  for (const call of calls) expect((await server.call(call)).status).toBe(401);
});

test("an agent and an account have so many keys at most: a stranger's question reads all of an agent's", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const register = async (at: number) => {
    const key = createSigner(
      Uint8Array.from({ length: 32 }, (_, byte) => (byte < 2 ? at >> (8 * byte) : 7)),
    ).agentId;
    const signing = { key_id: `k${at}`, public_key: base64Url(key) };
    const agents = { keyId: `k${at}`, publicKey: spkiPem(key) };
    return [
      (await server.call({ path: "/api/signing-keys", body: signing }, ana)).status,
      (await server.call({ path: "/api/agents/keys", body: agents }, ana)).status,
    ];
  };
  await server.db.write(async (tx) => {
    for (let at = 0; at < KEYS_MAX - 1; at++) {
      await tx.run("INSERT INTO ledger_signing_keys VALUES (?, ?, '00', NULL, 0)", ana.account, `old${at}`);
      await insertAgentKey(tx, {
        agent: ana.id,
        keyId: `old${at}`,
        publicKey: "00",
        validFromMs: 0,
        validUntilMs: null,
      });
    }
  });
  expect([await register(1), await register(2)]).toEqual([
    [201, 200],
    [400, 400],
  ]);
});
