import assert from "node:assert/strict";
import type { Checks } from "../checks.ts";
import type { Body } from "./papers.ts";
import { isSignedBy } from "./signing.ts";
import type { Wire } from "./wire.ts";

const TEXT = "Grüße 🜁, zwei\nZeilen";

/** Messages of an old node to us. */
export async function checkReceiving({ check }: Checks, { node, agent, pia, quinn }: Wire): Promise<void> {
  const at = `${node.url}/__darkmatter__/message`;
  const message = pia.message(TEXT, { metadata: { topic: "é" } });
  const callbacks = `/__darkmatter__/webhook/${message.message_id}`;

  await check("wire: a message as Python writes it is queued, and its webhook told", async () => {
    const { status, body } = await pia.post(at, message);
    assert.equal(status, 200);
    assert.deepEqual([body.success, body.queued, typeof body.queue_position], [true, true, "number"]);
    const received = await pia.heard("POST", callbacks);
    assert.deepEqual(received.body, { type: "received", agent_id: node.agentId });
    const shown = await agent.ask("get_message", { message_id: message.message_id });
    assert.deepEqual([shown.content, shown.metadata, shown.hops_remaining], [TEXT, { topic: "é" }, 10]);
    assert.deepEqual([shown.from_agent_id, shown.verified], [pia.agentId, true]);
  });

  await check("wire: the same message again is 409", async () => {
    assert.equal((await pia.post(at, message)).status, 409);
  });

  await check("wire: forged, stale, truncated or borrowed signatures are 403, and burn no id", async () => {
    const good = pia.message("to be sent again");
    const stale = pia.message("stale", { timestamp: "2026-01-01T00:00:00+00:00" });
    for (const bad of [
      { ...good, content: "changed" },
      { ...good, signature_hex: good.signature_hex.slice(0, 126) },
      { ...good, signature_hex: undefined },
      { ...good, from_public_key_hex: quinn.agentId },
      { ...good, from_agent_id: quinn.agentId },
      { ...good, from_agent_id: quinn.agentId, from_public_key_hex: quinn.agentId },
      stale,
    ]) {
      const { status, text } = await pia.post(at, bad);
      assert.equal(status, 403, `${JSON.stringify(bad)}: ${text}`);
    }
    assert.equal((await pia.post(at, good)).status, 200);
  });

  await check("wire: malformed bodies are 400, too large ones 413", async () => {
    const good = pia.message("x");
    for (const bad of [
      { ...good, message_id: 7 },
      { ...good, content: ["x"] },
      { ...good, metadata: "none" },
      { ...good, webhook: "ftp://127.0.0.1/x" },
      { ...good, webhook: `${pia.base}/admin` },
      { ...good, message_id: "a\nb" },
      { ...good, from_agent_id: undefined },
    ]) {
      const { status, text } = await pia.post(at, bad);
      assert.equal(status, 400, `${JSON.stringify(bad)}: ${text}`);
    }
    assert.equal((await pia.post(at, pia.message("x".repeat(65_537)))).status, 413);
    assert.equal(
      (await pia.post(at, pia.message("🜁".repeat(65_536)))).status,
      200,
      "code points are counted",
    );
    assert.equal((await pia.post(at, { ...good, padding: "x".repeat(1024 * 1024) })).status, 413);
  });

  await check("wire: our reply asks, says that it comes, and is signed", async () => {
    const replied = await agent.ask("send_message", { reply_to: message.message_id, content: "gelesen 🜁" });
    assert.equal(replied.error, null);
    const calls = pia.received
      .filter(({ path }) => path === callbacks)
      .map(({ method, body }) => [method, body?.type]);
    assert.deepEqual(calls, [
      ["POST", "received"],
      ["GET", undefined],
      ["POST", "responding"],
      ["POST", "response"],
    ]);
    const { body } = await pia.heard("POST", callbacks, ({ type }) => type === "response");
    assert.deepEqual(Object.keys(body).sort(), [
      ...["agent_id", "from_public_key_hex", "metadata", "response", "signature_hex", "timestamp", "type"],
    ]);
    assert.deepEqual([body.response, body.metadata], ["gelesen 🜁", { topic: "é" }]);
    const signed = [node.agentId, message.message_id, body.timestamp, "gelesen 🜁"];
    assert.ok(isSignedBy(node.agentId, signed, body.signature_hex));
    assert.equal((await pia.post(at, message)).status, 409, "answered and gone, it is still known");
  });

  await check("wire: a reply that is refused leaves the message in the inbox", async () => {
    const asked = pia.message("answer me");
    const path = `/__darkmatter__/webhook/${asked.message_id}`;
    await pia.post(at, asked);
    await pia.heard("POST", path);
    pia.script("POST", path, () => [500, "Internal Server Error"]);
    assert.ok(
      (await agent.call("respond_message", { message_id: asked.message_id, response: "no" })).isError,
    );
    pia.script("POST", path, undefined);
    const replied = await agent.ask("respond_message", { message_id: asked.message_id, response: "yes" });
    assert.equal(replied.error, null);
  });

  await check("wire: a broadcast is heard, and never queued", async () => {
    const before = (await agent.ask("list_inbox")).total;
    const { body } = await pia.post(at, pia.message("to all", { metadata: { type: "broadcast" } }));
    assert.deepEqual(body, { status: "broadcast_received" });
    const after: Body = await agent.ask("list_inbox");
    assert.equal(after.total, before);
  });
}
