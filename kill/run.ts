// npm run kill [-- talk|society|ledger] [--cycles N] [--seed N] [--short]: processes are killed without warning at
// random moments. In `talk` two agents talk at full speed; in `society` one pays another and writes to it, helpers
// answer, and fees travel; in `ledger` (also `--ledger`) clients commit to a ledger server on each engine. What was
// acknowledged must not be lost; nothing may be acted on, answered, paid for or committed twice.
// The last line is "N passed, N failed".
import { parseArgs } from "node:util";
import { createFigures } from "../bench/lib/figures.ts";
import { killLedger } from "./ledger/ledger.ts";
import { killSociety } from "./society.ts";
import { killTalk } from "./talk.ts";

const ROUNDS = { talk: killTalk, society: killSociety, ledger: killLedger };
type Round = keyof typeof ROUNDS;
const CYCLES = { whole: 200, short: 6 };

const { values, positionals } = parseArgs({
  options: {
    cycles: { type: "string" },
    seed: { type: "string" },
    short: { type: "boolean", default: false },
    ledger: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const cycles = Number(values.cycles ?? (values.short ? CYCLES.short : CYCLES.whole));
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const unknown = positionals.filter((name) => !Object.hasOwn(ROUNDS, name));
if (!Number.isInteger(cycles) || cycles < 1 || !Number.isInteger(seed) || unknown.length > 0) {
  console.error("usage: npm run kill -- [talk|society|ledger] [--cycles N] [--seed N] [--short]");
  process.exit(2);
}
console.log(`${cycles} kills, seed ${seed}`);

const figures = createFigures({ short: values.short });
const named = values.ledger ? [...new Set([...positionals, "ledger"])] : positionals;
const rounds = (named.length > 0 ? named : Object.keys(ROUNDS)) as Round[];
for (const name of rounds) await ROUNDS[name]({ cycles, seed }, figures);
process.exitCode = figures.end();
