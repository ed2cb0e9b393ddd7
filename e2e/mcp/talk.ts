import assert from "node:assert/strict";
import { type Checks, sleep, until } from "../checks.ts";
import type { Three } from "./three.ts";

const LONG = `${"long ".repeat(200)}end`;

/** A message's whole life between three agents. */
export async function checkTalk({ check }: Checks, three: Three): Promise<void> {
  const { ana, bo, boLegacy, cy, ids } = three;
  const inboxOf = async (agent: typeof ana) => (await agent.ask("list_inbox")).messages as Message[];
  interface Message {
    message_id: string;
    content: string;
    from_agent_id: string;
    hops_remaining: number;
    verified: boolean;
  }
  const send = async (from: typeof ana, to: string, content: string): Promise<string> =>
    (await from.ask("send_message", { content, target_agent_id: to })).message_id;

  let toAna = "";
  await check("mcp: send: the receiver has it, verified, whole, and the sender hears so", async () => {
    const sent = await bo.ask("send_message", {
      content: LONG,
      target_agent_id: ids.ana,
      metadata: { topic: "é" },
    });
    assert.deepEqual(sent.routed_to, [ids.ana]);
    toAna = sent.message_id;
    const listed = (await inboxOf(ana)).find(({ message_id }) => message_id === toAna);
    assert.equal(listed?.from_agent_id, ids.bo);
    assert.equal(listed?.verified, true);
    assert.ok((listed?.content.length ?? 0) <= 210, "a list shows the beginning");
    const whole = await ana.ask("get_message", { message_id: toAna });
    assert.equal(whole.content, LONG);
    assert.equal(whole.metadata.topic, "é");
    assert.match(whole.peer_words, /not instructions/);
    await until("the sender hears that it is stored, and then that it was read", async () => {
      const { ladder } = await bo.ask("get_sent_message", { message_id: toAna });
      const signed = ladder[0].rungs.filter((step: { signed: boolean }) => step.signed);
      const rungs = signed.map(({ rung }: { rung: string }) => rung);
      return ladder[0].agent_id === ids.ana && String(rungs) === "stored,read";
    });
  });

  await check("mcp: _hint tells each session what is new since it last looked, and only that", async () => {
    await cy.ask("list_connections");
    await send(bo, ids.cy, "for the hint");
    assert.match((await cy.ask("list_connections"))._hint, /1 unread message/);
    assert.match((await cy.ask("list_connections"))._hint, /No new activity/);
  });

  await check("mcp: wait_for_response resolves when the reply comes", async () => {
    const waiting = bo.ask("wait_for_response", { message_id: toAna, timeout_seconds: 10 });
    await sleep(300);
    const start = performance.now();
    const reply = await ana.ask("send_message", { reply_to: toAna, content: "heard you" });
    assert.equal(reply.error, null);
    const { status, responses } = await waiting;
    assert.ok(performance.now() - start < 3000);
    assert.equal(status, "responded");
    assert.deepEqual(
      responses.map((one: Record<string, string>) => [one.agent_id, one.response]),
      [[ids.ana, "heard you"]],
    );
    assert.ok(
      !(await inboxOf(ana)).some(({ message_id }) => message_id === toAna),
      "an answered message is done",
    );
    const again = await ana.call("respond_message", { message_id: toAna, response: "twice" });
    assert.ok(again.isError, "it cannot be answered twice");
  });

  await check(
    "mcp: respond_message answers too, and an answer before the wait is handed over at once",
    async () => {
      const id = await send(ana, ids.cy, "quick?");
      await cy.ask("respond_message", { message_id: id, response: "quick." });
      const { responses } = await ana.ask("wait_for_response", { message_id: id });
      assert.equal(responses[0].response, "quick.");
    },
  );

  await check("mcp: forward over the third node: the answer comes back to who asked first", async () => {
    const id = await send(ana, ids.bo, "who can help?");
    const waiting = ana.ask("wait_for_response", { message_id: id, timeout_seconds: 10 });
    const passed = await boLegacy.ask("send_message", {
      message_id: id,
      target_agent_id: ids.cy,
      note: "cy knows",
    });
    assert.equal(passed.hops_remaining_for_targets, 9);
    assert.deepEqual(passed.results, [{ agent_id: ids.cy, success: true }]);
    const at = (await inboxOf(cy)).find(({ message_id }) => message_id === id);
    assert.equal(at?.from_agent_id, ids.bo);
    assert.equal(at?.hops_remaining, 9);
    const back = await cy.call("send_message", { message_id: id, target_agent_id: ids.ana });
    assert.ok(back.isError && /already had/.test(back.text), "it does not go in a circle");
    assert.ok(
      (await bo.call("get_message", { message_id: id })).isError,
      "the one who passed it on holds it no more",
    );
    await cy.ask("send_message", { reply_to: id, content: "I can" });
    const { responses } = await waiting;
    assert.deepEqual([responses[0].agent_id, responses[0].response], [ids.cy, "I can"]);
    const { updates } = await ana.ask("get_sent_message", { message_id: id });
    const forwarded = updates.find((update: Record<string, string>) => update.type === "forwarded");
    assert.deepEqual(
      [forwarded?.agent_id, forwarded?.target_agent_id, forwarded?.note],
      [ids.bo, ids.cy, "cy knows"],
    );
  });

  await check("mcp: broadcast reaches those trusted enough, and nobody's inbox", async () => {
    await ana.ask("set_impression", { agent_id: ids.bo, score: 0.8, note: "quick and careful" });
    await ana.ask("set_impression", { agent_id: ids.cy, score: 0.1 });
    await Promise.all([bo, cy].map((agent) => agent.ask("list_connections")));
    const before = (await inboxOf(bo)).length;
    const sent = await ana.ask("send_message", {
      content: "for the trusted",
      broadcast: true,
      trust_min: 0.5,
    });
    assert.deepEqual(sent.routed_to, [ids.bo]);
    assert.match((await bo.ask("list_connections"))._hint, /1 network update/);
    assert.match((await cy.ask("list_connections"))._hint, /No new activity/);
    assert.equal((await inboxOf(bo)).length, before);
  });

  await check("mcp: impressions: a peer that is asked tells what it thinks of another", async () => {
    const { has_impression, score, note } = await ana.ask("get_impression", { agent_id: ids.bo });
    assert.deepEqual([has_impression, note], [true, "quick and careful"]);
    const heard = await cy.ask("ask_impression", { ask_agent_id: ids.ana, about_agent_id: ids.bo });
    assert.deepEqual(
      [heard.has_impression, heard.impression, heard.score],
      [true, "quick and careful", score],
    );
  });

  await check("mcp: expire: the one who waits hears it, and whoever holds it cannot answer", async () => {
    const id = await send(ana, ids.bo, "never mind");
    const waiting = ana.call("wait_for_response", { message_id: id, timeout_seconds: 10 });
    await sleep(100);
    assert.equal((await ana.ask("expire_message", { message_id: id })).status, "expired");
    assert.equal((await waiting).value.reason, "message_expired");
    assert.match((await ana.ask("expire_message", { message_id: id })).message, /before/);
    const late = await bo.call("respond_message", { message_id: id, response: "too late" });
    assert.ok(late.isError && /expired/.test(late.text), late.text);
    assert.ok(!(await inboxOf(bo)).some(({ message_id }) => message_id === id));
  });

  await check("mcp: an inactive agent takes no messages, and says when it is active again", async () => {
    await bo.ask("set_status", { status: "inactive", duration_minutes: 5 });
    const kept = await ana.ask("send_message", { content: "awake?", target_agent_id: ids.bo });
    assert.deepEqual([kept.state, kept.queued_for], ["queued", [ids.bo]]);
    assert.match(String(kept.note), /503/);
    await ana.ask("expire_message", { message_id: kept.message_id });
    await bo.ask("set_status", { status: "active" });
    await send(ana, ids.bo, "awake!");
  });
}
