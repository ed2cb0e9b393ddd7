// Writes numbered notes at full speed until it is killed, and prints the number of each that was acknowledged.
import { writeSync } from "node:fs";
import { openSqlite } from "../../adapters/sqlite.ts";

const IN_FLIGHT = 32;
const [, , path = "", first = "0"] = process.argv;
const db = await openSqlite({ path });
let next = Number(first);

async function writeOn(): Promise<never> {
  for (;;) {
    const id = next++;
    await db.write((tx) => tx.run("INSERT INTO notes (id, text) VALUES (?, ?)", id, "x".repeat(200)));
    writeSync(1, `${id}\n`);
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, writeOn));
