import { systemClock } from "@darkmatter/core";
import { openLog } from "../../adapters/log.ts";

/** Lines between two looks whether to stop. */
const LINES_AT_ONCE = 50;

/**
 * `log-writer.ts PATH NAME BYTES`: writes numbered lines, and begins another file whenever one is full, until its
 * standard input ends. Says `ready` once it is, and the number of its last line.
 */
const [path = "", name = "", bytesMax] = process.argv.slice(2);
using log = openLog(path, Number(bytesMax));
let hasEnded = false;
process.stdin.on("end", () => {
  hasEnded = true;
});
process.stdin.resume();
process.stdout.write("ready\n");
let n = 0;
while (!hasEnded) {
  for (let line = 0; line < LINES_AT_ONCE; line++) {
    log.info(name, { n: ++n });
    log.turnOver();
  }
  await systemClock.turn();
}
process.stdout.write(`${n}\n`);
