import { canon1OfJson, sha256Hex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { testServer } from "../../testing/test-server.ts";
import { insertAgentKey } from "../keys/agent-keys.store.ts";

const SEED_BYTES = 32;
const signerOf = (seed: number) => createSigner(new Uint8Array(SEED_BYTES).fill(seed));

test.each([0, 1000])("a key registered %i ms after a commit changes nothing of its signature", async (ms) => {
  await using server = await testServer();
  const ana = await server.account();
  const payload = { n: 1 };
  const envelope = {
    agent_id: ana.id,
    key_id: "k",
    parent_integrity_hash: "root",
    payload_hash: sha256Hex(canon1OfJson(payload)),
    schema_version: "2",
    timestamp: "2026-11-21T10:00:00Z",
  };
  const agent_signature = signerOf(1).sign(canon1OfJson(envelope));
  const { id } = await server.commit(ana, { payload, envelope, agent_signature });
  const judged = { chain_intact: true, reason: null, steps: [{ signature: "no_key" }] };
  const verify = async () => (await server.call({ path: `/api/verify/${id}` }, ana)).json;
  expect(await verify()).toMatchObject(judged);

  await server.clock.advance(ms);
  const key = { agent: ana.id, keyId: "k", publicKey: signerOf(2).agentId, validUntilMs: null };
  await server.db.write((tx) => insertAgentKey(tx, { ...key, validFromMs: server.clock.now() }));
  expect(await verify()).toMatchObject(judged);
});
