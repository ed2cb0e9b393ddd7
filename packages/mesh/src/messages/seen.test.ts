import { DAY_MS, type JsonObject, MINUTE_MS, parseJson } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, type Stranger, stranger, type TestNode } from "../testing.ts";
import { liveIds } from "./seen.ts";

/** Ana, whose peers bo and cy try again for a day, with room for ten thousand ids of each; di is no peer. */
async function world() {
  const net = await memoryNetwork({ nodes: ["ana"], config: { ratePerConnection: 2 } });
  const { ana } = net.nodes;
  const at = (n: number) => stranger(net.clock, net.hosts.ana, { port: 9000 + n, seed: 200 + n });
  const [bo, cy, di] = [at(0), at(1), at(2)];
  for (const peer of [bo, cy]) {
    await peer.post(ana, "connection_request", peer.request({ features: ["digest/1", "ids25h/1"] }));
  }
  return { net, ana, bo, cy, di };
}

/** As many ids as given, remembered of whoever brought them. */
async function fill(node: TestNode, share: string, count: number, untilMs: number): Promise<void> {
  const sql = `INSERT INTO seen_ids (id, seen_at_ms, until_ms, share)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT 'old-' || ? || i, 0, ?, ? FROM n`;
  await node.db.write((tx) => tx.run(sql, count, share.slice(0, 4), untilMs, share));
}

const statusOf = async (node: TestNode, by: Stranger, fields: JsonObject = {}) =>
  (await by.post(node, "message", by.message(fields))).status;

test("an id of an agent that tries again for a day is known for 25 hours, though its message is gone", async () => {
  const { net, ana, bo } = await world();
  await using _ = net;
  expect(await statusOf(ana, bo, { message_id: "msg-1" })).toBe(200);
  await net.clock.advance(DAY_MS + 59 * MINUTE_MS);
  await ana.job("messages.purge");
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
  expect(await statusOf(ana, bo, { message_id: "msg-1" })).toBe(409);
  await net.clock.advance(2 * MINUTE_MS);
  await ana.job("messages.purge");
  expect(await statusOf(ana, bo, { message_id: "msg-1" })).toBe(200);
});

test("an id of a stranger is known for as long as a copy of its message is fresh", async () => {
  const { net, ana, di } = await world();
  await using _ = net;
  expect(await statusOf(ana, di, { message_id: "msg-1" })).toBe(200);
  await ana.db.write((tx) => tx.run("DELETE FROM mesh_inbox"));
  await net.clock.advance(5 * MINUTE_MS);
  expect(await statusOf(ana, di, { message_id: "msg-1" })).toBe(409);
  await net.clock.advance(1);
  expect(await statusOf(ana, di, { message_id: "msg-1" })).toBe(200);
});

test("who brings too much to remember is refused with 429, and pushes out nobody's ids, its own neither", async () => {
  const { net, ana, bo, cy, di } = await world();
  await using _ = net;
  await fill(ana, bo.id, 10_000, net.clock.now() + 10 * MINUTE_MS);
  expect(await statusOf(ana, bo)).toBe(429);
  expect(await statusOf(ana, bo, { message_id: `old-${bo.id.slice(0, 4)}7` })).toBe(409);
  expect([await statusOf(ana, cy), await statusOf(ana, di)]).toEqual([200, 200]);
  await ana.job("messages.purge");
  expect(await statusOf(ana, bo, { message_id: `old-${bo.id.slice(0, 4)}9999` })).toBe(409);
  await net.clock.advance(11 * MINUTE_MS);
  expect(await statusOf(ana, bo)).toBe(200);
});

test("strangers share a memory of their own: full, it refuses strangers and no peer", async () => {
  const { net, ana, bo, di } = await world();
  await using _ = net;
  await fill(ana, "", 10_000, net.clock.now() + MINUTE_MS);
  expect(await statusOf(ana, di)).toBe(429);
  expect(await statusOf(ana, bo)).toBe(200);
});

test("the state file holds the ids a copy of which could be fresh, the newest ten thousand", async () => {
  const { net, ana, bo } = await world();
  await using _ = net;
  expect(await statusOf(ana, bo, { message_id: "msg-1" })).toBe(200);
  await net.clock.advance(6 * MINUTE_MS);
  expect(await statusOf(ana, bo, { message_id: "msg-2" })).toBe(200);
  const ids = async () =>
    Object.keys(
      (parseJson(await ana.mesh.stateFiles.write(ana.db)) as JsonObject).seen_message_ids as JsonObject,
    );
  expect(await ids()).toEqual(["msg-2"]);
  await ana.db.write((tx) =>
    tx.run(`INSERT INTO seen_ids (id, seen_at_ms, until_ms, share)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
      SELECT 'many-' || i, ${net.clock.now()}, ${net.clock.now() + DAY_MS}, 'x' FROM n`),
  );
  expect(await liveIds(ana.db, net.clock.now())).toHaveLength(10_000);
});
