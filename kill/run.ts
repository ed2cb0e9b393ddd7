// npm run kill [-- --cycles N] [--seed N] [--short]: two nodes talk at full speed while either is killed without
// warning at random moments. What was acknowledged must not be lost, and nothing may be acted on twice.
// The last line is "N passed, N failed".
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createFigures } from "../bench/lib/figures.ts";
import { type Agents, startAgents } from "./agents.ts";
import { type Part, type Side, startSide } from "./side.ts";
import { judge } from "./verdict.ts";

const CYCLES = { whole: 200, short: 6 };
const PROGRESS_EVERY = 10;
/** A kill comes at a random moment within this. */
const MOMENT_MS = 400;
/** After a kill the two must be at it again within this. */
const RESUME_WITHIN_MS = 20_000;
/** Of 200 kills this many have to hit work under way. */
const IN_FLIGHT_SHARE = 0.75;

const { values } = parseArgs({
  options: {
    cycles: { type: "string" },
    seed: { type: "string" },
    short: { type: "boolean", default: false },
  },
});
const cycles = Number(values.cycles ?? (values.short ? CYCLES.short : CYCLES.whole));
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isInteger(cycles) || cycles < 1 || !Number.isInteger(seed)) {
  console.error("usage: npm run kill -- [--cycles N] [--seed N] [--short]");
  process.exit(2);
}
console.log(`${cycles} kills, seed ${seed}`);

const figures = createFigures({ short: values.short });
await using sender = await startSide();
await using receiver = await startSide();
const connected = await sender.call("darkmatter_connection", { action: "request", target_url: receiver.url });
if (connected.success !== true) throw new Error(`The nodes did not connect: ${JSON.stringify(connected)}`);
const agents = startAgents(sender, receiver);
const inFlight = await killAll(agents);
await agents.finish();
await Promise.all([sender.stop(), receiver.stop()]);

const { record } = agents;
const { lost, actedTwice, waiting } = judge(record, sender, receiver);
console.log(`${record.answered.size} answered, ${record.refused.size} refused, ${waiting} in the inbox`);
for (const [what, times] of record.troubles) console.log(`  ${times} × ${what}`);
for (const id of lost) console.log(`lost: ${id}`);
for (const id of actedTwice) console.log(`acted on twice: ${id}`);
figures.add("kill.acknowledged", record.acknowledged.size, "messages", { least: cycles });
figures.add("kill.acknowledged_lost", lost.length, "messages", { most: 0 });
figures.add("kill.acted_twice", actedTwice.length, "messages", { most: 0 });
figures.add("kill.kills_in_flight", inFlight, "kills", { least: Math.ceil(cycles * IN_FLIGHT_SHARE) });
process.exitCode = figures.end();

async function killAll({ record }: Agents): Promise<number> {
  const random = generator(seed);
  const progress = () => record.acknowledged.size + record.answered.size;
  let hits = 0;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const side: Side = random() < 0.5 ? sender : receiver;
    const part: Part = random() < 0.5 ? "node" : "session";
    await sleep(random() * MOMENT_MS);
    if (sender.inFlight + receiver.inFlight > 0) hits++;
    await side.kill(part);
    await resumed(progress, `${side === sender ? "the sender's" : "the receiver's"} ${part}, kill ${cycle}`);
    if (cycle % PROGRESS_EVERY === 0) {
      console.log(`${cycle} kills, ${hits} in flight, ${record.acknowledged.size} acknowledged`);
    }
  }
  return hits;
}

/** The two talk again. */
async function resumed(progress: () => number, what: string): Promise<void> {
  const before = progress();
  const end = performance.now() + RESUME_WITHIN_MS;
  while (progress() <= before + 1) {
    if (performance.now() > end) throw new Error(`Nothing moved for ${RESUME_WITHIN_MS} ms after ${what}.`);
    await sleep(5);
  }
}

/** A small seeded generator (mulberry32): the same seed kills in the same order. */
function generator(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
