import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, stdioAgent } from "../agents.ts";
import { type Checks, sleep, until } from "../checks.ts";
import { type OldPeer, oldPeer } from "../wire/old-peer.ts";
import { gone, type Home } from "../world.ts";
import type { Three } from "./three.ts";

/** How soon another session must answer once the owner is dead. */
const TAKEOVER_MS = 2000;
/** Notices of what was done before have come by then. */
const SETTLE_MS = 1300;

/** One agent, several sessions: they share one state, whose owner may stop, or die. */
export async function checkTakeover(checks: Checks, three: Three): Promise<void> {
  const { check } = checks;
  const { world, homes, ana, bo, cy, ids } = three;
  await using slow = await oldPeer({ name: "slow" });
  const second = await stdioAgent(world, homes.ana, "1.x");
  const third = await stdioAgent(world, homes.ana, "2.x modern");

  await check("mcp: a second client on the first home sees the same inbox, from the same owner", async () => {
    await bo.ask("send_message", { content: "before the end", target_agent_id: ids.ana });
    const inbox = await inboxIds(ana);
    assert.ok(inbox.length > 0);
    for (const agent of [second, third]) assert.deepEqual(await inboxIds(agent), inbox);
    assert.equal(ownerPid(homes.ana, ids.ana), ana.pid);
    assert.equal((await world.command(homes.ana, "status")).json.pid, ana.pid);
  });

  await check(
    "mcp: a stopped owner is reported, not robbed, and goes on when it is continued",
    async () => {
      process.kill(ana.pid, "SIGSTOP");
      try {
        for (const agent of [second, third]) {
          const start = performance.now();
          const answered = agent.answered.length;
          await assert.rejects(agent.call("list_inbox"), new RegExp(`\\(${ana.pid}\\) is stopped`));
          assert.ok(performance.now() - start < 6000, "told within seconds");
          assert.equal(agent.answered.length, answered + 1, "a subscription is not ended with the call");
        }
        assert.equal((await world.command(homes.ana, "inbox")).code, 1);
        assert.equal(ownerPid(homes.ana, ids.ana), ana.pid);
      } finally {
        process.kill(ana.pid, "SIGCONT");
      }
      const inbox = await inboxIds(ana);
      for (const agent of [second, third]) assert.deepEqual(await inboxIds(agent), inbox);
      assert.equal(ownerPid(homes.ana, ids.ana), ana.pid);
    },
    25_000,
  );

  await check(
    "mcp: the owner is killed: the next answer comes within two seconds, with the same inbox",
    async () => {
      await second.ask("connection", { action: "request", target_url: slow.base });
      slow.slowMs = 700;
      const before = await inboxIds(second);
      const sentBefore = (await second.ask("list_messages")).total;
      const { message_id: asked } = await second.ask("send_message", {
        content: "still there?",
        target_agent_id: ids.cy,
      });
      await sleep(SETTLE_MS);
      const answeredBefore = second.answered.length;
      const waiting = second.ask("wait_for_response", { message_id: asked, timeout_seconds: 15 });
      const sending = second.call("send_message", { content: "in flight", target_agent_id: slow.agentId });
      await slow.heard("POST", "/__darkmatter__/message", ({ content }) => content === "in flight");

      const killedAt = performance.now();
      process.kill(ana.pid, "SIGKILL");
      const noticed = [second, third].map(({ changes }) => changes);
      const after = await inboxIds(second);
      const tookMs = performance.now() - killedAt;

      checks.figure("e2e.owner_killed_to_answer_ms", tookMs, "ms");
      assert.ok(tookMs < TAKEOVER_MS, `it took ${Math.round(tookMs)} ms`);
      assert.deepEqual(after, before);
      await gone(ana.pid);
      await checkInFlight(second, slow, sending, sentBefore + 2);
      await cy.ask("send_message", { reply_to: asked, content: "always" });
      assert.equal((await waiting).responses[0].response, "always");
      assertAnsweredOnce(second, answeredBefore);
      for (const [at, agent] of [second, third].entries()) {
        await until(`${agent.kind} hears of the new owner`, () => agent.changes > (noticed[at] ?? 0));
      }
    },
    25_000,
  );

  await check(
    "mcp: the new owner is one of the sessions, the others follow it, and peers find it where it was",
    async () => {
      const pid = ownerPid(homes.ana, ids.ana);
      assert.ok([second.pid, third.pid].includes(pid), `${pid}`);
      assert.deepEqual(await inboxIds(third), await inboxIds(second));
      const sent = await bo.ask("send_message", { content: "after the end", target_agent_id: ids.ana });
      assert.deepEqual(sent.routed_to, [ids.ana]);
      assert.ok((await inboxIds(third)).includes(sent.message_id));
    },
  );

  await check("mcp: a clean end of the owner hands over as well", async () => {
    const [owner, other] = second.pid === ownerPid(homes.ana, ids.ana) ? [second, third] : [third, second];
    const before = await inboxIds(other);
    await owner.close();
    const start = performance.now();
    assert.deepEqual(await inboxIds(other), before);
    assert.ok(performance.now() - start < 5000);
    await gone(owner.pid);
    assert.equal(ownerPid(homes.ana, ids.ana), other.pid);
    await other.close();
    await gone(other.pid);
  });
}

/** The message that was on its way when the owner died: answered, and one message to its receiver. */
async function checkInFlight(
  agent: Agent,
  slow: OldPeer,
  sending: ReturnType<Agent["call"]>,
  sentInAll: number,
): Promise<void> {
  const { value, isError } = await sending;
  assert.ok(!isError, JSON.stringify(value));
  assert.deepEqual(value.routed_to, [slow.agentId]);
  const bodies = slow.to("POST", "/__darkmatter__/message").map(({ body }) => body);
  const inFlight = new Set(
    bodies.filter(({ content }) => content === "in flight").map((body) => body.message_id),
  );
  assert.deepEqual([...inFlight], [value.message_id], "one id, however often it was sent");
  assert.equal((await agent.ask("list_messages")).total, sentInAll, "sent once");
}

function assertAnsweredOnce(agent: Agent, from: number): void {
  const ids = agent.answered.slice(from);
  assert.equal(new Set(ids).size, ids.length, `answered twice: ${ids.join(" ")}`);
  assert.deepEqual(
    agent.complaints.filter((text) => /unknown message id/i.test(text)),
    [],
  );
}

async function inboxIds(agent: Agent): Promise<string[]> {
  const { messages } = await agent.ask("list_inbox");
  // The unread stand first, so that reading changes the order.
  return messages.map(({ message_id }: { message_id: string }) => message_id).sort();
}

function ownerPid({ home }: Home, agentId: string): number {
  return JSON.parse(readFileSync(join(home, "state", agentId, "owner.json"), "utf8")).pid;
}
