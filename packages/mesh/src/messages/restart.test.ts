import { DAY_MS, SECOND_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import type { Database } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test, vi } from "vitest";
import { meshMigrations } from "../schema.ts";
import { type TestNode, testNode } from "../testing.ts";

/** Two machines; a node there can be ended as a process ends, and started again over what it left on disk. */
async function machines() {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(7);
  const internet = memoryInternet({ clock, random });
  const databases: Database[] = [];

  async function machine(address: string, fill: number) {
    const host = internet.host({ address });
    const db = await memoryDatabase(meshMigrations);
    databases.push(db);
    let listening: Disposable | undefined;
    return {
      host,
      db,
      async start(port: number): Promise<TestNode> {
        const seed = new Uint8Array(32).fill(fill);
        const node = await testNode({ clock, random, wire: host.wire, seed, host: address, port, db });
        listening = host.listen(port, node.handler);
        return node;
      },
      /** Nothing it knew but did not write down is left. */
      kill: () => listening?.[Symbol.dispose](),
    };
  }

  const settle = async (...nodes: TestNode[]) => {
    await clock.settle();
    await Promise.all(nodes.map((node) => node.mesh.idle()));
  };
  return {
    clock,
    internet,
    ana: await machine("192.168.7.10", 1),
    bo: await machine("192.168.7.11", 2),
    settle,
    async [Symbol.asyncDispose]() {
      for (const db of databases) await db.close();
    },
  };
}

const contentsOf = async (node: TestNode) => {
  const { messages } = await node.tool("list_inbox");
  return (messages as Array<{ content: string }>).map(({ content }) => content);
};

test("a message outlives a restart of both sides and a new port of the receiver, and arrives once", async () => {
  await using at = await machines();
  let ana = await at.ana.start(8100);
  let bo = await at.bo.start(8101);
  await ana.tool("connection", { action: "request", target_url: bo.url });
  at.bo.kill();
  const sent = await ana.tool("send_message", { content: "wait for me", target_agent_id: bo.id });
  expect(sent).toMatchObject({ success: true, queued_for: [bo.id], state: "queued" });

  at.ana.kill();
  ana = await at.ana.start(8100);
  await at.clock.advance(60 * SECOND_MS);
  bo = await at.bo.start(8200);
  // It says where it is now, and is heard by that.
  await bo.tool("update_bio", { bio: "moved" });
  await at.settle(ana, bo);
  expect(await contentsOf(bo)).toEqual(["wait for me"]);
  for (let seconds = 0; seconds < 30; seconds++) {
    await at.clock.advance(SECOND_MS);
    await ana.job("outbox.retry");
    await at.settle(ana, bo);
  }
  expect(await contentsOf(bo)).toEqual(["wait for me"]);
  const { ladder } = await ana.tool("get_sent_message", { message_id: sent.message_id });
  expect(ladder).toMatchObject([{ agent_id: bo.id, next_attempt: null }]);
});

test("an attempt that a crash cut off counts as one that may have arrived: the repeat's 409 is its delivery", async () => {
  await using at = await machines();
  const ana = await at.ana.start(8100);
  const bo = await at.bo.start(8101);
  await ana.tool("connection", { action: "request", target_url: bo.url });
  const request = at.ana.host.wire.request;
  using wire = vi.spyOn(at.ana.host.wire, "request");
  wire.mockImplementation(async (outbound) => {
    const answer = await request(outbound);
    // The process ends before it notes what it was answered.
    return outbound.url.endsWith("/message") ? new Promise(() => undefined) : answer;
  });
  void ana.tool("send_message", { content: "once", target_agent_id: bo.id });
  await at.clock.settle();
  // Looked at where no receipt is given for it.
  expect(await bo.db.all("SELECT content FROM mesh_inbox")).toEqual([{ content: "once" }]);

  at.ana.kill();
  wire.mockRestore();
  await bo.db.write((tx) => tx.run("DELETE FROM mesh_inbox"));
  const again = await at.ana.start(8100);
  expect(await at.ana.db.all("SELECT state, attempts FROM mesh_outbox")).toEqual([
    { state: "sent", attempts: 1 },
  ]);
  await again.job("outbox.retry");
  await at.settle(again, bo);
  expect(await contentsOf(bo)).toEqual([]);
  expect(await at.ana.db.all("SELECT state, attempts FROM mesh_outbox")).toEqual([
    { state: "stored", attempts: 2 },
  ]);
  await at.clock.advance(DAY_MS);
});
