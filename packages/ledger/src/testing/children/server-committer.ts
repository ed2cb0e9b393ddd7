// One of several processes of a ledger server; prints what was acknowledged, as JSON: ids, and those under keys that
// other processes use, too.
import { systemClock, systemRandom } from "@darkmatter/core";
import { openPostgres } from "@darkmatter/store";
import { type TestAgent, testServer } from "../test-server.ts";

const COMMITS = 120;
const IN_FLIGHT = 16;
const SHARED_KEYS = 10;

const [, , url = "", schema = "", agent = ""] = process.argv;
const by = JSON.parse(agent) as TestAgent;
await using server = await testServer({
  db: await openPostgres({ url, schema }),
  ports: { clock: systemClock, random: systemRandom },
});
const [ids, keyed]: [string[], Record<string, string>] = [[], {}];
let next = 0;

async function work(): Promise<void> {
  let parentId: string | null = null;
  while (next < COMMITS) {
    const n = next++;
    const { id }: { id: string } = await server.commit(by, { payload: { n, pid: process.pid }, parentId });
    parentId = id;
    ids.push(id);
    if (n < SHARED_KEYS) {
      const shared = await server.commit(by, { payload: { n }, idempotencyKey: `shared-${n}` });
      keyed[`shared-${n}`] = shared.id;
    }
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, work));
process.stdout.write(JSON.stringify({ ids, keyed }));
