import { expect, test } from "vitest";
import { memoryNetwork } from "../testing.ts";
import { INBOX_PAGE_MAX } from "./inbox.ts";

test("messages read and not answered hide none that came after them", async () => {
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    config: { ratePerConnection: -1, rateGlobal: -1 },
  });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  const say = (content: string) => ana.tool("send_message", { content, target_agent_id: bo.id });
  const shown = async () => (await bo.tool("list_inbox")).messages as { content: string; read: boolean }[];

  for (let number = 0; number < INBOX_PAGE_MAX; number++) await say(`early ${number}`);
  expect(await shown()).toHaveLength(INBOX_PAGE_MAX);
  await say("late one");
  await say("late two");

  const page = await shown();
  expect(page.map(({ content }) => content).slice(0, 3)).toEqual(["late one", "late two", "early 0"]);
  expect(page.map(({ read }) => read).slice(0, 3)).toEqual([false, false, true]);
  expect(page).toHaveLength(INBOX_PAGE_MAX);
  expect(await bo.tool("list_inbox")).toMatchObject({ total: INBOX_PAGE_MAX + 2 });
});
