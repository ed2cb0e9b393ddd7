// One of several processes that work on the same rows; prints how often it acted, how often an id was new to it.
import { openPostgres } from "../../adapters/postgres.ts";
import { once, seenIds } from "../../index.ts";

const ACTS = 150;
const IN_FLIGHT = 8;
const [, , url = "", schema = ""] = process.argv;
await using db = await openPostgres({ url, schema });
const sighting = (id: string) => ({ id, seenAtMs: 1000, untilMs: 61_000, share: "" });
let acted = 0;
let fresh = 0;
let next = 0;

async function work(): Promise<void> {
  while (next < ACTS) {
    const n = next++;
    await db.write((tx) => tx.run("UPDATE counters SET n = n + 1"));
    await db.write(async (tx) => {
      await tx.lock("tail");
      const last = await tx.get<{ at: number }>("SELECT at FROM chain ORDER BY at DESC LIMIT 1");
      await tx.run("INSERT INTO chain (at) VALUES (?)", (last?.at ?? 0) + 1);
    });
    await db.write((tx) => once(tx, `call-${n}`, () => tx.run("INSERT INTO acts (n) VALUES (?)", n)));
    if (await db.write((tx) => seenIds.remember(tx, sighting(`msg-${n}`)))) fresh++;
    acted++;
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, work));
process.stdout.write(JSON.stringify({ acted, fresh }));
