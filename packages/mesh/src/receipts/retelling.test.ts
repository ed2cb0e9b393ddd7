import { HOUR_MS, SECOND_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

const LIMITLESS = { rateGlobal: -1, ratePerConnection: -1, inboxMax: 1000 };
const OTHER_AUTHOR = "ab".repeat(32);

test("a message that points at somebody else's busy server makes few calls to it, at growing intervals", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS });
  const { ana } = net.nodes;
  const mallory = stranger(net.clock, net.hosts.ana, { port: 9000, seed: 201 });
  const busy = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 202 });
  const calledAt: number[] = [];
  const startMs = net.clock.now();
  busy.answers(({ body }) => {
    if (body.type === "receipt") calledAt.push((net.clock.now() - startMs) / SECOND_MS);
    return [429];
  });
  // With another author named, even its being stored is told to the webhook: nobody has to read it.
  const metadata = { receipts: 1, origin_agent_id: OTHER_AUTHOR };
  const webhook = `${busy.url}/__darkmatter__/webhook/anything`;
  await mallory.post(ana, "message", mallory.message({ webhook, metadata }));
  await net.settle();
  for (let sinceMs = 0; sinceMs < HOUR_MS; sinceMs += 30 * SECOND_MS) {
    await ana.job("receipts.tell");
    await net.settle();
    await net.clock.advance(30 * SECOND_MS);
  }
  expect(calledAt).toEqual([0, 30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]);
});

test("one that answers again after a pause is told once more, and a later rung does not wait for an earlier one", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"], config: LIMITLESS });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  bo.answers(() => [503]);
  const message = bo.message({ metadata: { receipts: 1, origin_agent_id: bo.id } });
  await bo.post(ana, "message", message);
  await ana.tool("get_message", { message_id: message.message_id });
  await net.settle();
  bo.answers(() => undefined);
  await ana.tool("respond_message", { message_id: message.message_id, response: "!" });
  await net.settle();
  const rungs = () =>
    bo.heardAt("").flatMap(({ receipt }) => (receipt as { rung?: string } | undefined)?.rung ?? []);
  expect(rungs()).toEqual(["read", "acted"]);
  await ana.job("receipts.tell");
  expect(rungs()).toEqual(["read", "acted"]);
  await net.clock.advance(30 * SECOND_MS);
  await ana.job("receipts.tell");
  await ana.job("receipts.tell");
  expect(rungs()).toEqual(["read", "acted", "read"]);
});
