import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "@darkmatter/core/testing";
import { type Figures, median } from "../bench/lib/figures.ts";
import { within } from "../e2e/checks.ts";
import { type Agents, startAgents } from "./agents.ts";
import { judgeLedgers, type LedgerVerdict } from "./ledgers.ts";
import { type Side, startSide, type Victim } from "./side.ts";
import { judge } from "./verdict.ts";

const PROGRESS_EVERY = 10;
/** A kill comes at a random moment within this. */
const MOMENT_MS = 600;
/** It waits so long for a call to be under way. */
const CALL_WITHIN_MS = 500;
/** One kill in so many does not wait until the other side has got over its own. */
const BOTH_DOWN_EVERY = 4;
/** After a kill the agent must be answered again within this. */
const READY_WITHIN_MS = 20_000;
/** Of 200 kills this many have to hit work under way. */
const UNDER_WAY_SHARE = 0.75;

export interface KillPlan {
  readonly cycles: number;
  readonly seed: number;
}

/** Two agents talk at full speed while they are killed. */
export async function killTalk(plan: KillPlan, figures: Figures): Promise<void> {
  await using sender = await startSide();
  await using receiver = await startSide();
  const connected = await sender.call("darkmatter_connection", {
    action: "request",
    target_url: receiver.url,
  });
  if (connected.success !== true) throw new Error(`The nodes did not connect: ${JSON.stringify(connected)}`);
  const agents = startAgents(sender, receiver);
  const hits = await killAll(sender, receiver, agents, plan);
  await agents.finish();
  await Promise.all([sender.stop(), receiver.stop()]);
  const startedWell = await lastWord(sender, receiver, agents.account);
  const ledgers = await judgeLedgers([sender, receiver]);
  report(figures, plan, [sender, receiver], agents.account, { hits, startedWell, ledgers });
}

async function killAll(
  sender: Side,
  receiver: Side,
  { account }: Agents,
  { cycles, seed }: KillPlan,
): Promise<number> {
  const random = seededRandom(seed);
  const victims = [sender, receiver].flatMap((side) => [
    [side, "owner"] as const,
    [side, "session"] as const,
  ]);
  let hits = 0;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const [side, victim] = victims[random.integer(victims.length)] as readonly [Side, Victim];
    const momentMs = random.integer(MOMENT_MS);
    const bothDown = random.integer(BOTH_DOWN_EVERY) === 0;
    await readyAgain(side);
    if (!bothDown) await readyAgain(side === sender ? receiver : sender);
    await sleep(momentMs);
    // Nearly always at once; what waits for the other side may let an agent rest for a while.
    const end = performance.now() + CALL_WITHIN_MS;
    while (side.pending === 0 && performance.now() < end) await sleep(1);
    if (await side.kill(victim)) hits++;
    if (cycle % PROGRESS_EVERY === 0) {
      const { acknowledged, answered } = account;
      console.log(`${cycle} kills, ${acknowledged.size} messages and ${answered.size} answers acknowledged`);
    }
  }
  await Promise.all([sender, receiver].map(readyAgain));
  return hits;
}

async function readyAgain(side: Side): Promise<void> {
  try {
    await within(READY_WITHIN_MS, side.ready());
  } catch (error) {
    console.log(`${side.url} was not answered again after a kill.`);
    throw error;
  }
}

/** Both start once more: nothing has come back, and one message gets there and is answered. Whether that is so. */
async function lastWord(sender: Side, receiver: Side, account: Agents["account"]): Promise<boolean> {
  await Promise.all([sender.start(), receiver.start()]);
  const args = { content: "all well?", target_agent_id: receiver.agentId };
  const { message_id: id } = await sender.call("darkmatter_send_message", args);
  const { messages } = await receiver.call("darkmatter_list_inbox");
  const shown = (messages as readonly { message_id: string }[]).map(({ message_id }) => message_id);
  await receiver.call("darkmatter_respond_message", { message_id: id, response: "all well" });
  const { responses } = await sender.call("darkmatter_get_sent_message", { message_id: id });
  await Promise.all([sender.stop(), receiver.stop()]);
  const said = JSON.stringify((responses as readonly { response: string }[]).map(({ response }) => response));
  const again = shown.filter((shownId) => account.answered.has(shownId));
  if (shown.includes(String(id)) && again.length === 0 && said === '["all well"]') return true;
  console.log(
    `after a new start ${shown.length} messages wait, ${again.length} of them answered, and the answers to ${id} are ${said}`,
  );
  return false;
}

interface Outcome {
  readonly hits: number;
  readonly startedWell: boolean;
  readonly ledgers: LedgerVerdict;
}

function report(
  figures: Figures,
  { cycles }: KillPlan,
  [sender, receiver]: readonly [Side, Side],
  account: Agents["account"],
  { hits, startedWell, ledgers }: Outcome,
): void {
  const { lost, actedTwice, waiting } = judge(account, sender, receiver);
  const endedAlone = [...sender.endedAlone, ...receiver.endedAlone];
  for (const [what, times] of account.troubles) console.log(`  ${times} × ${what}`);
  for (const what of lost) console.log(`lost: ${what}`);
  for (const id of actedTwice) console.log(`acted on twice: ${id}`);
  for (const id of waiting) console.log(`waiting: ${id}`);
  for (const what of endedAlone) console.log(what);
  for (const what of ledgers.brokenChains) console.log(`broken chain: ${what}`);
  for (const what of ledgers.actsWithoutCommit) console.log(`without a commit: ${what}`);

  const takeoversMs = [...sender.takeoversMs, ...receiver.takeoversMs];
  figures.add("kill.cycles", cycles, "kills");
  figures.add("kill.kills_in_flight", hits, "kills", { least: Math.floor(cycles * UNDER_WAY_SHARE) });
  figures.add("kill.messages_acknowledged", account.acknowledged.size, "messages", { least: cycles });
  figures.add("kill.answers_acknowledged", account.answered.size, "answers", { least: cycles / 2 });
  if (takeoversMs.length > 0) {
    figures.add("kill.takeover_ms_p50", median(takeoversMs), "ms");
    figures.add("kill.takeover_ms_max", Math.max(...takeoversMs), "ms");
  }
  figures.add("kill.acknowledged_lost", lost.length, "", { most: 0 });
  figures.add("kill.acted_twice", actedTwice.length, "messages", { most: 0 });
  figures.add("kill.left_waiting", waiting.length, "messages", { most: 0 });
  figures.add("kill.ended_alone", endedAlone.length, "processes", { most: 0 });
  figures.add("kill.commits", ledgers.commits, "commits", { least: account.acknowledged.size * 2 });
  figures.add("kill.broken_chains", ledgers.brokenChains.length, "", { most: 0 });
  figures.add("kill.leaves_without_commit", ledgers.leavesWithoutCommit, "leaves", { most: 0 });
  figures.add("kill.acts_without_commit", ledgers.actsWithoutCommit.length, "acts", { most: 0 });
  figures.add("kill.started_well", startedWell ? 1 : 0, "of 1", { least: 1 });
}
