import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { holdForAnswer } from "./messages.store.ts";

test("a message that is answered while it is passed on stays for its answer, which is recorded", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const [bo, cy] = [0, 1].map((at) =>
    stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at }),
  ) as [ReturnType<typeof stranger>, ReturnType<typeof stranger>];
  for (const agent of [bo, cy]) await agent.post(ana, "connection_request", agent.request());
  const message = bo.message();
  const id = String(message.message_id);
  await bo.post(ana, "message", message);
  // As another session's answer does it, before it leaves.
  let holding: Promise<boolean> | undefined;
  cy.answers(({ path }) => {
    if (path.endsWith("/message")) {
      holding = ana.db.write((tx) => holdForAnswer(tx, id, "I know", undefined, net.clock.now()));
    }
    return undefined;
  });
  const forwarded = await ana.tool("send_message", { message_id: id, target_agent_id: cy.id });
  expect([forwarded.success, await holding]).toEqual([true, true]);

  await ana.job("messages.finish-answers");
  await net.settle();

  expect(bo.heardAt(`webhook/${id}`).map(({ type }) => type)).toContain("response");
  expect(ana.journal.of(id).map(({ act }) => act)).toEqual([
    "message.received",
    "message.forwarded",
    "message.answered",
  ]);
  expect(await ana.tool("list_inbox")).toMatchObject({ total: 0 });
});
