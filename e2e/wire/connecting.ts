import assert from "node:assert/strict";
import { type Checks, until } from "../checks.ts";
import { CHALLENGE_HEX, oldPeer } from "./old-peer.ts";
import { messageId, now } from "./papers.ts";
import { isSignedBy } from "./signing.ts";
import type { Wire } from "./wire.ts";

const REQUEST_KEYS = [
  "created_at",
  "from_agent_bio",
  "from_agent_display_name",
  "from_agent_id",
  "from_agent_public_key_hex",
  "from_agent_url",
  "from_agent_wallet_address",
  "wallets",
];
const ACCEPTANCE_KEYS = [
  "agent_bio",
  "agent_display_name",
  "agent_id",
  "agent_public_key_hex",
  "agent_url",
  "created_at",
  "wallet_address",
  "wallets",
];

/** Keys of a body but for the one that tells what a node can beyond the old wire. */
const keysOf = (body: object) =>
  Object.keys(body)
    .filter((key) => key !== "features")
    .sort();

/** Peers that ask us, and how we ask them. */
export async function checkBeingAsked({ check }: Checks, { node, agent, pia, quinn }: Wire): Promise<void> {
  await check("wire: the well-known document has every key", async () => {
    const { status, body } = await pia.get(`${node.url}/.well-known/darkmatter.json`);
    assert.equal(status, 200);
    const { agent_id, public_key_hex, protocol_version, mesh_url, mcp_url, accepting_connections } = body;
    assert.deepEqual([agent_id, public_key_hex], [node.agentId, node.agentId]);
    assert.equal(protocol_version, "0.2");
    assert.deepEqual([mesh_url, mcp_url], [`${node.url}/__darkmatter__`, `${node.url}/mcp`]);
    assert.equal(accepting_connections, true);
    for (const key of ["bio", "status", "webrtc_enabled", "genome_version", "genome_author"])
      assert.ok(key in body, key);
  });

  await check("wire: a peer whose URL ends in /mcp asks, and is accepted at once", async () => {
    const { status, body } = await pia.post(
      `${node.url}/__darkmatter__/connection_request`,
      pia.connectionRequest(),
    );
    assert.equal(status, 200);
    assert.equal(body.auto_accepted, true);
    assert.deepEqual(keysOf(body), [...ACCEPTANCE_KEYS, "auto_accepted", "message"].sort());
    assert.equal(body.agent_id, node.agentId);
    assert.match(body.agent_url, new RegExp(`^${node.url}(/mcp)?$`));
    assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?\+00:00$/);
  });

  await check("wire: asked again, it says so and stays as it is", async () => {
    const other = { ...pia.connectionRequest(), from_agent_url: "http://127.0.0.1:9/mcp" };
    const { body } = await pia.post(`${node.url}/__darkmatter__/connection_request`, other);
    assert.equal(body.auto_accepted, true);
    const { connections } = await agent.ask("list_connections");
    assert.equal(connections.length, 1);
    assert.ok(connections[0].agent_url.startsWith(pia.base), "an unsigned word moves no connection");
  });

  await check("wire: a request of ours has the bytes of the old wire", async () => {
    const asked = await agent.ask("connection", { action: "request", target_url: `${quinn.base}/mcp/` });
    assert.deepEqual([asked.status, asked.agent_id], ["connected", quinn.agentId]);
    const { body, contentType } = await quinn.heard("POST", "/__darkmatter__/connection_request");
    assert.match(contentType, /^application\/json/);
    assert.deepEqual(keysOf(body), REQUEST_KEYS);
    assert.deepEqual([body.from_agent_id, body.from_agent_public_key_hex], [node.agentId, node.agentId]);
    assert.equal(body.from_agent_display_name, "wim");
    const { wallets } = await agent.ask("get_identity");
    assert.match(wallets.solana, /^[1-9A-HJ-NP-Za-km-z]{32,44}$/);
    assert.deepEqual([body.wallets, body.from_agent_wallet_address], [wallets, wallets.solana]);
  });
}

/** A third peer finds no room: challenge, proof, acceptance, both ways; and disconnects. */
export async function checkAsking(checks: Checks, wire: Wire): Promise<void> {
  const { check } = checks;
  const { node, agent, pia, quinn, rex } = wire;
  const at = (path: string) => `${node.url}/__darkmatter__/${path}`;
  const connected = async () =>
    (await agent.ask("list_connections")).connections.map(({ agent_id }: { agent_id: string }) => agent_id);

  await check("wire: an unsigned disconnect notice is refused, without harm", async () => {
    const notice = {
      message_id: messageId().replace("msg", "disconnect"),
      content: "Auto-disconnecting due to sustained negative trust.",
      metadata: { type: "disconnect_announcement" },
      from_agent_id: pia.agentId,
    };
    assert.equal((await pia.post(at("message"), notice)).status, 400);
    const withWebhook = { ...notice, webhook: `${pia.base}/__darkmatter__/webhook/${notice.message_id}` };
    assert.equal((await pia.post(at("message"), withWebhook)).status, 403);
    assert.ok((await connected()).includes(pia.agentId));
  });

  await check("wire: no room: the request is queued, the key proven, the peers asked", async () => {
    const { body } = await rex.post(at("connection_request"), rex.connectionRequest());
    assert.equal(body.auto_accepted, false);
    assert.match(body.request_id, /^req-[0-9a-f]{8}$/);
    assert.match(body.challenge_id, /^ch-[0-9a-f]{16}$/);
    assert.match(body.challenge_hex, /^[0-9a-f]{64}$/);
    const proof = (signed: string, challenge: string) => ({
      challenge_id: challenge,
      proof_hex: signed,
      agent_id: rex.agentId,
      public_key_hex: rex.agentId,
    });
    const forged = await rex.post(at("connection_proof"), proof("00".repeat(64), body.challenge_id));
    assert.equal(forged.status, 403);
    const again = await rex.post(at("connection_request"), rex.connectionRequest());
    assert.equal(again.body.request_id, body.request_id, "asked again, it keeps its id");
    const { challenge_id: id, challenge_hex: hex } = again.body;
    const good = rex.sign("darkmatter.challenge_response.v1", hex);
    const other = await rex.post(at("connection_proof"), proof(good, "ch-0000000000000000"));
    assert.equal(other.status, 404);
    const { status, body: proven } = await rex.post(at("connection_proof"), proof(good, id));
    assert.equal(status, 200);
    assert.equal(proven.identity_verified, true);
    for (const peer of [pia, quinn]) await peer.heard("GET", `/__darkmatter__/impression/${rex.agentId}`);
  });

  await check("wire: our disconnect is a complete signed message", async () => {
    await agent.ask("connection", { action: "disconnect", agent_id: quinn.agentId });
    const { body } = await quinn.heard(
      "POST",
      "/__darkmatter__/message",
      ({ metadata }) => metadata?.type === "disconnect_announcement",
    );
    assert.match(body.message_id, /^disconnect-[0-9a-f]{12}$/);
    assert.ok(body.webhook.startsWith(`${node.url}/__darkmatter__/webhook/`));
    const signed = [node.agentId, body.message_id, body.timestamp, body.content];
    assert.ok(isSignedBy(node.agentId, signed, body.signature_hex));
  });

  await check("wire: our acceptance has the bytes of the old wire", async () => {
    const { requests } = await agent.ask("list_pending_requests");
    assert.equal(requests[0].crypto, true);
    await agent.ask("connection", { action: "accept", request_id: requests[0].request_id });
    const { body } = await rex.heard("POST", "/__darkmatter__/connection_accepted");
    assert.deepEqual(keysOf(body), ACCEPTANCE_KEYS);
    assert.equal(body.agent_id, node.agentId);
    assert.equal((await rex.post(at("message"), rex.message("thank you"))).status, 200);
  });

  await check("wire: a signed disconnect notice ends the connection", async () => {
    const notice = rex.message("Goodbye.", { metadata: { type: "disconnect_announcement" } });
    assert.equal((await rex.post(at("message"), notice)).status, 200);
    await until("it is gone", async () => !(await connected()).includes(rex.agentId));
  });

  await check(
    "wire: we ask, prove our key whatever they say to it, and are accepted later by them alone",
    async () => {
      const asked = await agent.ask("connection", { action: "request", target_url: rex.base });
      assert.equal(asked.status, "pending");
      const { body: proof } = await rex.heard("POST", "/__darkmatter__/connection_proof");
      assert.deepEqual(Object.keys(proof).sort(), [
        "agent_id",
        "challenge_id",
        "proof_hex",
        "public_key_hex",
      ]);
      const signed = ["darkmatter.challenge_response.v1", CHALLENGE_HEX];
      assert.ok(isSignedBy(node.agentId, signed, proof.proof_hex));
      await using mallory = await oldPeer({ name: "mallory" });
      const forged = { ...mallory.acceptance(), agent_url: `${rex.base}/mcp` };
      assert.equal((await mallory.post(at("connection_accepted"), forged)).status, 403);
      assert.equal((await rex.post(at("connection_accepted"), rex.acceptance())).status, 200);
      assert.equal((await rex.post(at("connection_accepted"), rex.acceptance())).status, 403, "once");
      assert.ok((await connected()).includes(rex.agentId));
      assert.ok(!(await connected()).includes(mallory.agentId));
    },
  );

  await check("wire: a peer that moved says so, signed, and is found there", async () => {
    const moved = pia.base.replace("127.0.0.1", "localhost");
    const timestamp = now();
    const update = {
      agent_id: pia.agentId,
      new_url: moved,
      addresses: { http: moved },
      timestamp,
      bio: "moved",
      public_key_hex: pia.agentId,
    };
    assert.equal((await pia.post(at("peer_update"), update)).status, 403);
    const signature = pia.sign("peer_update", pia.agentId, moved, timestamp);
    assert.equal((await pia.post(at("peer_update"), { ...update, signature })).status, 200);
    const { connections } = await agent.ask("list_connections");
    const found = connections.find((one: { agent_id: string }) => one.agent_id === pia.agentId);
    assert.deepEqual([found.agent_url, found.bio_summary], [moved, "moved"]);
  });

  await check("wire: what we tell of ourselves is signed", async () => {
    await agent.ask("update_bio", { bio: "I answer old nodes." });
    const { body } = await pia.heard(
      "POST",
      "/__darkmatter__/peer_update",
      ({ bio }) => bio === "I answer old nodes.",
    );
    assert.equal(body.agent_id, node.agentId);
    assert.ok(
      isSignedBy(node.agentId, ["peer_update", node.agentId, body.new_url, body.timestamp], body.signature),
    );
  });
}
