import { expect, test } from "vitest";
import { type TestAgent, type TestServer, testServer } from "../../testing/test-server.ts";
import { createGramRarity } from "./gram-rarity.ts";
import { createSearchIndexer } from "./indexer.ts";
import { readMark } from "./search.store.ts";

const SECOND_MS = 1000;
const COMMITS = 400;

async function commits(server: TestServer, by: TestAgent, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => server.commit(by, { payload: { n } })));
}

/** How long the job rested after each step of one run; more commits come in the first rests. */
async function restsOf(
  server: TestServer,
  by: TestAgent,
  comingAtEach: readonly number[],
): Promise<number[]> {
  const coming = [...comingAtEach];
  const rests: number[] = [];
  let nowMs = 0;
  const clock = {
    ...server.ports.clock,
    monotonic: () => nowMs++,
    async sleep(ms: number) {
      rests.push(ms);
      await commits(server, by, coming.shift() ?? 0);
      nowMs += SECOND_MS;
    },
  };
  await createSearchIndexer({ db: server.db, clock, rarity: createGramRarity(clock) }).job.run();
  return rests;
}

test("while commits come quickly the index leaves them the database; all is indexed once they are fewer", async () => {
  await using server = await testServer();
  const ana = await server.account();
  await commits(server, ana, COMMITS);
  const rests = await restsOf(server, ana, [COMMITS, COMMITS, 100]);
  expect(rests.slice(0, 3).map((ms) => ms >= SECOND_MS)).toEqual([false, true, true]);
  expect(rests.slice(3).every((ms) => ms < 100)).toBe(true);
  expect(await readMark(server.db)).toBe(3 * COMMITS + 100);
});
