import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "@darkmatter/core/testing";
import { type FakeSolana, fakeSolana, serveSolana } from "@darkmatter/mesh/testing";
import type { Figures } from "../bench/lib/figures.ts";
import { SessionEnded } from "../bench/lib/session.ts";
import { within } from "../e2e/checks.ts";
import { judgeLedgers } from "./ledgers.ts";
import { type Lone, startLone } from "./lone.ts";
import { type Side, startSide } from "./side.ts";
import { type Dealings, judgeSociety, openDealings } from "./society-verdict.ts";
import type { KillPlan } from "./talk.ts";

const HELPER = resolve(import.meta.dirname, "children/helper.ts");
const SOL = 1_000_000_000n;
/** Each payment by an amount of its own, and so its fee: on the chain they are told apart by nothing else. */
const BASE_LAMPORTS = 1_000_000;
const STEP_LAMPORTS = 100;
const MOMENT_MS = 900;
const READY_WITHIN_MS = 20_000;
const SETTLE_WITHIN_MS = 60_000;
const LOOK_MS = 200;
const PROGRESS_EVERY = 10;
const BACK_OFF_MS = 100;
/** Helpers are programs: a machine starts few of them in a second. */
const WRITE_PAUSE_MS = 600;
/** Each payment is a message, a look at the chain and a game at the other side, which is killed half of the time. */
const PAY_PAUSE_MS = 250;

/** Who pays and writes, whose helpers answer, and who is old enough to be given fees. */
interface Cast {
  readonly payer: Side;
  readonly payee: Lone;
  readonly elder: Lone;
}

/** What the paying agent was told, and what it tried. */
interface Account {
  /** Lamports of payments that were answered with success, by their transaction. */
  readonly paid: Map<string, number>;
  readonly sent: Set<string>;
  readonly troubles: Map<string, number>;
  calls: number;
  working: boolean;
}

/** One agent pays another and writes to it while nodes, sessions and helpers are killed. */
export async function killSociety(plan: KillPlan, figures: Figures): Promise<void> {
  const chain = fakeSolana();
  await using rpc = await serveSolana(chain);
  const settings = { DARKMATTER_SOLANA_RPC: rpc.url };
  // Peers take the first start for an agent's age.
  await using elder = await startLone(settings);
  await using payee = await startLone({
    ...settings,
    DARKMATTER_AGENT_ENABLED: "true",
    DARKMATTER_AGENT_COMMAND: process.execPath,
    DARKMATTER_AGENT_ARGS: HELPER,
    DARKMATTER_AGENT_MAX_CONCURRENT: "3",
    DARKMATTER_AGENT_MAX_PER_HOUR: "100000",
  });
  await using payer = await startSide(settings);
  const cast = { payer, payee, elder };
  await introduce(cast, chain);
  const account: Account = { paid: new Map(), sent: new Set(), troubles: new Map(), calls: 0, working: true };
  const lanes = [pay(cast, account), pay(cast, account), write(cast, account)];
  const work = Promise.all(lanes);
  work.catch(() => undefined);
  await killAll(cast, account, plan);
  account.working = false;
  await work;
  const open = await settled(cast);
  await Promise.all([payer.stop(), payee.stop(), elder.stop()]);
  await report(figures, cast, chain, account, open, plan);
}

async function introduce({ payer, payee, elder }: Cast, chain: FakeSolana): Promise<void> {
  for (const { url } of [elder, payee]) {
    const { success } = await payer.call("darkmatter_connection", { action: "request", target_url: url });
    if (success !== true) throw new Error(`${url} was not connected to`);
  }
  // By a command: an agent that calls tools counts as awake, and is helped later.
  await commanded(payee, "connect", elder.url);
  for (const agent_id of [payer.agentId, elder.agentId]) {
    await payee.post("set_impression", { agent_id, score: 0.9 });
  }
  for (const { url } of [payer, payee, elder]) {
    const info = (await (await fetch(`${url}/__darkmatter__/network_info`)).json()) as Info;
    chain.bank.lamports.set(info.wallets.solana, 1000n * SOL);
  }
}

interface Info {
  readonly wallets: { readonly solana: string };
}

async function commanded({ home }: Lone, ...args: readonly string[]): Promise<void> {
  const child = home.start([...args, "--json"], ["ignore", "ignore", "inherit"]);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`darkmatter ${args[0]} ended with ${code}`);
}

/** Pays again and again, each time another amount. */
async function pay({ payer, payee }: Cast, account: Account): Promise<void> {
  while (account.working) {
    const lamports = BASE_LAMPORTS + STEP_LAMPORTS * ++account.calls;
    const args = { agent_id: payee.agentId, amount: lamports / 1e9 };
    const result = await attempt(payer, account, "darkmatter_send_sol", args);
    if (result?.success === true) account.paid.set(String(result.tx_signature), lamports);
    await sleep(PAY_PAUSE_MS);
  }
}

/** Writes again and again; helpers answer. A sender keeps its newest hundred: it pauses while many are unanswered. */
async function write({ payer, payee }: Cast, account: Account): Promise<void> {
  for (let count = 1; account.working; count++) {
    const args = { content: `question ${count}`, target_agent_id: payee.agentId };
    const result = await attempt(payer, account, "darkmatter_send_message", args);
    if (result?.success === true) account.sent.add(String(result.message_id));
    await sleep(WRITE_PAUSE_MS);
  }
}

async function attempt(payer: Side, { troubles }: Account, tool: string, args: object) {
  try {
    const result = await payer.call(tool, args);
    if (result.success === false) note(troubles, `${tool}: ${String(result.error)}`);
    return result;
  } catch (error) {
    if (!(error instanceof SessionEnded)) note(troubles, `${tool}: ${(error as Error).message}`);
    await sleep(BACK_OFF_MS);
    return undefined;
  }
}

function note(troubles: Map<string, number>, text: string): void {
  const what = text.replaceAll(/'?(msg-)?[0-9a-zA-Z]{16,}'?/g, "…").slice(0, 160);
  troubles.set(what, (troubles.get(what) ?? 0) + 1);
}

async function killAll({ payer, payee }: Cast, account: Account, { cycles, seed }: KillPlan): Promise<void> {
  const random = seededRandom(seed);
  const victims = [
    () => payee.kill(),
    () => payee.kill(),
    () => payer.kill("owner"),
    () => payer.kill("session"),
  ];
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const kill = victims[random.integer(victims.length)];
    const momentMs = random.integer(MOMENT_MS);
    await within(READY_WITHIN_MS, Promise.all([payer.ready(), payee.ready()]));
    await sleep(momentMs);
    await kill?.();
    if (cycle % PROGRESS_EVERY === 0) {
      console.log(
        `${cycle} kills, ${account.paid.size} payments and ${account.sent.size} messages acknowledged`,
      );
    }
  }
  await within(READY_WITHIN_MS, Promise.all([payer.ready(), payee.ready()]));
}

/** Waits until nothing is on its way any more; what still is at the end of the time. */
async function settled({ payer, payee }: Cast): Promise<Dealings> {
  const end = performance.now() + SETTLE_WITHIN_MS;
  let open = openDealings(payer, payee);
  while (Object.values(open).some((ids) => ids.length > 0) && performance.now() < end) {
    await sleep(LOOK_MS);
    open = openDealings(payer, payee);
  }
  return open;
}

async function report(
  figures: Figures,
  { payer, payee, elder }: Cast,
  chain: FakeSolana,
  { paid, sent, troubles }: Account,
  open: Dealings,
  { cycles }: KillPlan,
): Promise<void> {
  const verdict = judgeSociety({ payer, payee, chain, paid, sent });
  const ledgers = await judgeLedgers([payer, payee]);
  for (const [what, times] of troubles) console.log(`  ${times} × ${what}`);
  const endedAlone = [...payer.endedAlone, ...payee.endedAlone, ...elder.endedAlone];
  const named = {
    lost: verdict.lost,
    "paid twice": verdict.paidTwice,
    "answered twice": verdict.answeredTwice,
    "handed twice": verdict.handedTwice,
    "left open": Object.entries(open).flatMap(([what, ids]: [string, readonly string[]]) =>
      ids.map((id) => `${what} ${id}`),
    ),
    alone: endedAlone,
    "broken chain": ledgers.brokenChains,
    "without a commit": ledgers.actsWithoutCommit,
  };
  for (const [what, list] of Object.entries(named)) for (const one of list) console.log(`${what}: ${one}`);
  figures.add("kill.payments_acknowledged", paid.size, "payments", { least: cycles / 2 });
  figures.add("kill.fees_paid", verdict.fees, "fees", { least: cycles / 10 });
  figures.add("kill.helpers_started", verdict.helpers, "helpers", { least: cycles / 10 });
  figures.add("kill.helpers_answers", verdict.answers, "answers", { least: 1 });
  figures.add("kill.society_lost", verdict.lost.length, "", { most: 0 });
  figures.add("kill.paid_twice", verdict.paidTwice.length, "payments", { most: 0 });
  figures.add("kill.answered_twice", verdict.answeredTwice.length, "messages", { most: 0 });
  figures.add("kill.handed_twice", verdict.handedTwice.length, "messages", { most: 0 });
  figures.add("kill.left_open", named["left open"].length, "", { most: 0 });
  figures.add("kill.society_ended_alone", endedAlone.length, "processes", { most: 0 });
  figures.add("kill.society_broken_chains", ledgers.brokenChains.length, "", { most: 0 });
  figures.add("kill.society_acts_without_commit", ledgers.actsWithoutCommit.length, "acts", { most: 0 });
}
