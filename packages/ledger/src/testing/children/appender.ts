// One of several processes that append to one ledger; prints how many acts landed.
import { systemClock, systemRandom } from "@darkmatter/core";
import { openPostgres } from "@darkmatter/store";
import { testEvent, testLedger } from "../test-ledger.ts";

const ACTS = 150;
const IN_FLIGHT = 8;
const [, , url = "", schema = ""] = process.argv;
await using ledger = await testLedger({
  db: await openPostgres({ url, schema }),
  clock: systemClock,
  random: systemRandom,
});
const { db, journal } = ledger;
let [next, landed] = [0, 0];

async function work(): Promise<void> {
  while (next < ACTS) {
    const act = next++;
    try {
      await db.write(async (tx) => {
        await journal.append(tx, testEvent({ trace: `msg-${act % 9}` }));
        if (act % 10 === 3) throw new Error("this act fails after its append");
      });
      landed++;
    } catch (error) {
      if (act % 10 !== 3) throw error;
    }
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, work));
process.stdout.write(String(landed));
