import assert from "node:assert/strict";
import { type Checks, sleep } from "../checks.ts";
import type { Body } from "./papers.ts";
import { isSignedBy } from "./signing.ts";
import type { Wire } from "./wire.ts";

export const MESSAGE_KEYS = [
  "content",
  "from_agent_id",
  "from_public_key_hex",
  "hops_remaining",
  "message_id",
  "metadata",
  "signature_hex",
  "timestamp",
  "webhook",
];
const TEXT = 'äöü 🜁\n"line two" \\';

/** Our messages to an old node, and what it says to them. */
export async function checkSending({ check }: Checks, { node, agent, pia }: Wire): Promise<void> {
  let sent: Body;
  let webhook = "";

  await check("wire: a message of ours has exactly the bytes of the old wire, signed", async () => {
    const given = { content: TEXT, target_agent_id: pia.agentId, metadata: { budget: 5 } };
    sent = await agent.ask("send_message", given);
    assert.deepEqual(sent.routed_to, [pia.agentId]);
    const { body, contentType } = await pia.heard("POST", "/__darkmatter__/message");
    assert.match(contentType, /^application\/json/);
    // Nothing more: what it did not announce it is not sent.
    assert.deepEqual(Object.keys(body).sort(), MESSAGE_KEYS);
    assert.match(body.message_id, /^msg-[0-9a-f]{12}$/);
    assert.match(body.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?\+00:00$/);
    assert.deepEqual([body.content, body.metadata, body.hops_remaining], [TEXT, { budget: 5 }, 10]);
    assert.equal(body.webhook, `${node.url}/__darkmatter__/webhook/${body.message_id}`);
    webhook = body.webhook;
    const signed = [node.agentId, body.message_id, body.timestamp, TEXT];
    assert.ok(isSignedBy(node.agentId, signed, body.signature_hex));
  });

  await check("wire: `received` that comes before the POST is answered finds the message", async () => {
    const { updates } = await agent.ask("get_sent_message", { message_id: sent.message_id });
    assert.deepEqual(
      updates.map((update: Body) => [update.type, update.agent_id]),
      [["received", pia.agentId]],
    );
    const { status, body } = await pia.get(webhook);
    assert.equal(status, 200);
    assert.deepEqual([body.message_id, body.status, body.initial_hops], [sent.message_id, "active", 10]);
    assert.equal(body.updates[0].type, "received");
  });

  await check("wire: an unsigned, forged or stale reply is refused and not recorded", async () => {
    const good = pia.reply(sent.message_id, "here you are");
    const stale = "2026-01-01T00:00:00+00:00";
    const old = pia.sign(pia.agentId, sent.message_id, stale, "late");
    for (const reply of [
      { type: "response", agent_id: pia.agentId, response: "unsigned", metadata: {} },
      { ...good, response: "forged" },
      { ...good, agent_id: node.agentId },
      { ...good, response: "late", timestamp: stale, signature_hex: old },
    ]) {
      const { status } = await pia.post(webhook, reply);
      assert.equal(status, 403, JSON.stringify(reply));
    }
    assert.equal((await pia.post(webhook, { type: "dancing", agent_id: pia.agentId })).status, 400);
    assert.equal((await pia.post(`${node.url}/__darkmatter__/webhook/msg-none`, good)).status, 404);
    assert.deepEqual((await agent.ask("get_sent_message", { message_id: sent.message_id })).responses, []);
  });

  await check("wire: a signed reply ends the wait", async () => {
    const waiting = agent.ask("wait_for_response", { message_id: sent.message_id, timeout_seconds: 10 });
    await sleep(100);
    const { status, body } = await pia.post(webhook, { type: "responding", agent_id: pia.agentId });
    assert.deepEqual([status, body], [200, { success: true, recorded: "responding" }]);
    assert.deepEqual((await pia.post(webhook, pia.reply(sent.message_id, TEXT))).body, {
      success: true,
      recorded: "response",
    });
    const { responses } = await waiting;
    assert.deepEqual([responses[0].agent_id, responses[0].response], [pia.agentId, TEXT]);
    assert.equal((await pia.get(webhook)).body.status, "responded");
  });

  await check("wire: an answer of 500 in plain text is a failed delivery, told as such", async () => {
    pia.script("POST", "/__darkmatter__/message", () => [500, "Internal Server Error"]);
    const failed = await agent.call("send_message", { content: "hello?", target_agent_id: pia.agentId });
    pia.script("POST", "/__darkmatter__/message", undefined);
    assert.ok(failed.isError);
    assert.match(failed.value.failed[0].error, /500/);
    assert.deepEqual(failed.value.routed_to, []);
  });
}
