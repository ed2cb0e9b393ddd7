import assert from "node:assert/strict";
import { type Checks, sleep } from "../checks.ts";
import type { Body } from "./papers.ts";
import { Float } from "./python-json.ts";
import { MESSAGE_KEYS } from "./sending.ts";
import { isSignedBy } from "./signing.ts";
import type { Wire } from "./wire.ts";

/** Between two old nodes: forwarding, and what we think of either. */
export async function checkPassing({ check }: Checks, { node, agent, pia, quinn }: Wire): Promise<void> {
  const at = `${node.url}/__darkmatter__/message`;

  await check(
    "wire: a forwarded message keeps id, content, webhook and metadata, and is signed by who passes it on",
    async () => {
      const message = pia.message("who can help?", {
        hops_remaining: new Float(5),
        metadata: { type: "q", n: new Float(1) },
      });
      const path = `/__darkmatter__/webhook/${message.message_id}`;
      assert.equal((await pia.post(at, message)).status, 200);
      const given = { message_id: message.message_id, target_agent_id: quinn.agentId };
      const passed = await agent.ask("send_message", given);
      assert.equal(passed.hops_remaining_for_targets, 4);

      const { body } = await quinn.heard(
        "POST",
        "/__darkmatter__/message",
        ({ message_id }) => message_id === message.message_id,
      );
      assert.deepEqual(Object.keys(body).sort(), MESSAGE_KEYS);
      assert.deepEqual(
        [body.content, body.webhook, body.hops_remaining],
        [message.content, message.webhook, 4],
      );
      assert.deepEqual(body.metadata, { type: "q", n: 1 });
      assert.deepEqual([body.from_agent_id, body.from_public_key_hex], [node.agentId, node.agentId]);
      const signed = [node.agentId, message.message_id, body.timestamp, message.content];
      assert.ok(isSignedBy(node.agentId, signed, body.signature_hex));
      const notices = pia.to("POST", path).map(({ body: notice }) => notice);
      const forwarded = notices.find(({ type }: Body) => type === "forwarded");
      const expected = {
        type: "forwarded",
        agent_id: node.agentId,
        target_agent_id: quinn.agentId,
        note: null,
      };
      assert.deepEqual(forwarded, expected);
      assert.equal(pia.to("GET", path).length, 1, "its sender was asked first");
      assert.ok(
        notices.some(({ type, agent_id }: Body) => type === "received" && agent_id === quinn.agentId),
      );
      assert.ok(
        (await agent.call("get_message", { message_id: message.message_id })).isError,
        "it is ours no more",
      );
    },
  );

  await check("wire: a message its sender withdrew is neither answered nor passed on", async () => {
    for (const act of ["answer", "pass"]) {
      const message = pia.message("never mind");
      const path = `/__darkmatter__/webhook/${message.message_id}`;
      await pia.post(at, message);
      pia.script("GET", path, () => [
        200,
        { message_id: message.message_id, status: "expired", updates: [] },
      ]);
      const given =
        act === "pass"
          ? { message_id: message.message_id, target_agent_id: quinn.agentId }
          : { reply_to: message.message_id, content: "late" };
      const refused = await agent.call("send_message", given);
      assert.ok(refused.isError && /expired/.test(refused.text), refused.text);
      await sleep(100);
      assert.ok(
        !pia.to("POST", path).some(({ body }) => body.type === "response" || body.type === "forwarded"),
      );
      assert.ok(
        !quinn
          .to("POST", "/__darkmatter__/message")
          .some(({ body }) => body.message_id === message.message_id),
      );
    }
  });

  await check("wire: a webhook that knows nothing (404) does not stop a message", async () => {
    const message = pia.message("on it goes");
    await pia.post(at, message);
    pia.script("GET", `/__darkmatter__/webhook/${message.message_id}`, () => [404, { error: "unknown" }]);
    const passed = await agent.ask("send_message", {
      message_id: message.message_id,
      target_agent_id: quinn.agentId,
    });
    assert.equal(passed.results[0].success, true);
  });

  await check("wire: what we think of an agent is told at both addresses", async () => {
    await agent.ask("set_impression", { agent_id: quinn.agentId, score: 0.5, note: "helps" });
    const expected = {
      agent_id: quinn.agentId,
      has_impression: true,
      score: 0.5,
      note: "helps",
      impression: "helps",
    };
    for (const path of ["/__darkmatter__/impression", "/mcp/__darkmatter__/impression"]) {
      const { status, body } = await pia.get(`${node.url}${path}/${quinn.agentId}`);
      assert.equal(status, 200, path);
      assert.deepEqual(body, expected);
      const none = await pia.get(`${node.url}${path}/${"0".repeat(64)}`);
      assert.deepEqual([none.status, none.body.has_impression], [200, false]);
    }
  });

  await check("wire: an old node is asked for its impression where it serves it", async () => {
    quinn.script("GET", `/__darkmatter__/impression/${pia.agentId}`, () => [
      200,
      { agent_id: pia.agentId, has_impression: true, score: new Float(1), note: "kind" },
    ]);
    const heard = await agent.ask("ask_impression", {
      ask_agent_id: quinn.agentId,
      about_agent_id: pia.agentId,
    });
    assert.deepEqual([heard.has_impression, heard.impression, heard.score], [true, "kind", 1]);
  });
}
