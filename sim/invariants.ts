import { verifyTogether } from "@darkmatter/proof";
import { type Account, short } from "./account.ts";
import { type Act, actsOf, rowCounts, waitingOn } from "./evidence.ts";
import { FALSE_WORDS } from "./hostile.ts";
import { namesOf, outOfSight } from "./knowledge.ts";
import type { Machine } from "./machine.ts";
import type { Connected } from "./site.ts";
import type { Site } from "./weather.ts";
import type { World } from "./world.ts";

/** Rows a table may hold for each message and answer of the run, and beside them. */
const ROWS_PER_ACT = 40;
const ROWS_MIN = 2_000;
/** Conversations whose two ledgers are compared: each takes a quarter of a second. */
const COMPARED_MAX = 3;

/** Compares what agents did and were told with what the disks hold, when all is calm again. */
export async function checkAll(
  world: World,
  site: Site & Connected,
  account: Account,
  hostileId: string | undefined,
): Promise<void> {
  const received = new Map<string, readonly Act[]>();
  const answered = new Map<string, readonly Act[]>();
  for (const machine of site.machines) {
    received.set(machine.id, await actsOf(machine, "message.received"));
    answered.set(machine.id, await actsOf(machine, "message.answered"));
  }
  nothingLost(account, received, answered, await excused(site));
  for (const machine of site.machines) {
    nothingTwice(machine, account, received.get(machine.id) ?? [], answered.get(machine.id) ?? []);
    nothingForged(machine, account, received.get(machine.id) ?? [], hostileId);
    noAnswerForged(machine, account, answered.get(machine.id) ?? [], hostileId);
    await memoryBounded(machine, account);
    await ledgerSound(machine, account);
  }
  await ledgersAgree(world, site, account);
}

/** What waits for agents whose place nobody could tell, as `FROM MESSAGE TO`. */
async function excused(site: Site & Connected): Promise<ReadonlySet<string>> {
  const unknown = outOfSight(site);
  const found = new Set<string>();
  for (const one of site.machines) {
    const waits = await waitingOn(one);
    for (const other of site.machines) {
      if (!unknown.has(namesOf(one, other))) continue;
      for (const copy of waits) if (copy.endsWith(` ${other.id}`)) found.add(`${one.id} ${copy}`);
    }
  }
  return found;
}

function nothingLost(
  account: Account,
  received: ReadonlyMap<string, readonly Act[]>,
  answered: ReadonlyMap<string, readonly Act[]>,
  mayWait: ReadonlySet<string>,
): void {
  const held = new Map<string, Set<string>>();
  for (const [id, acts] of received) held.set(id, new Set(acts.map(({ messageId }) => messageId)));
  for (const { messageId, to, from, state, atMs } of account.messages) {
    if (held.get(to)?.has(messageId) || !held.has(to)) continue;
    if (state === "queued" && (account.isWithdrawn(messageId) || mayWait.has(`${from} ${messageId} ${to}`)))
      continue;
    account.problem(
      `lost: ${messageId} of ${short(from)}, ${state} for ${short(to)} at ${Math.round(atMs / 1000)} s`,
    );
  }
  for (const { messageId, from, to, text } of account.answers) {
    const arrived = answered.get(to);
    // Who wrote a forwarded message is nobody's neighbour here: only answers to the agent that brought it are followed.
    if (!arrived || arrived.some((act) => act.messageId === messageId && act.text === text)) continue;
    if (received.get(to)?.some((act) => act.messageId === messageId)) continue;
    account.problem(
      `lost: the answer of ${short(from)} to ${messageId}, told as taken by ${short(to)}: ${JSON.stringify(arrived.filter((act) => act.messageId === messageId))} instead of ${text}`,
    );
  }
}

function nothingTwice(
  { name, id }: Machine,
  account: Account,
  received: readonly Act[],
  answered: readonly Act[],
): void {
  const twice = (all: readonly string[], what: string) => {
    const seen = new Set<string>();
    for (const key of all) {
      if (seen.has(key)) account.problem(`acted twice: ${name} ${what} ${key}`);
      seen.add(key);
    }
  };
  twice(
    received.map(({ messageId }) => messageId),
    "received",
  );
  // No call says what another says: the same words under two ids are one call that was made twice.
  const ids = new Map(received.map(({ text, messageId }) => [text, messageId]));
  for (const { text, messageId } of received) {
    if (ids.get(text) !== messageId && !text.startsWith(FALSE_WORDS))
      account.problem(`acted twice: ${name} has the same words as ${messageId} and ${ids.get(text)}`);
  }
  const others = answered.filter(({ peer }) => peer !== id);
  twice(
    others.map(({ messageId, peer, text }) => `${messageId} ${short(peer)} ${text}`),
    "recorded the answer",
  );
}

function nothingForged(
  { name }: Machine,
  account: Account,
  received: readonly Act[],
  hostileId: string | undefined,
): void {
  for (const { peer, messageId, text } of received) {
    if (peer === hostileId ? !text.startsWith(FALSE_WORDS) : account.mayHaveSaid(peer, text, messageId))
      continue;
    account.problem(
      `forged: ${name} took ${messageId} as of ${short(peer)}, who never said: ${text.slice(0, 60)}`,
    );
  }
}

/** The ledger keeps answers both ways: those to others are under their author's name, and its own words. */
function noAnswerForged(
  { name, id }: Machine,
  account: Account,
  answered: readonly Act[],
  hostileId: string | undefined,
): void {
  for (const { peer, messageId, text } of answered) {
    const isOurs = account.mayHaveAnswered(id, messageId, text);
    if (isOurs || account.mayHaveAnswered(peer, messageId, text)) continue;
    if (peer === hostileId && !text.startsWith(FALSE_WORDS)) continue;
    account.problem(`forged: ${name} took as answer of ${short(peer)} to ${messageId}: ${text.slice(0, 60)}`);
  }
}

async function memoryBounded({ name, disk }: Machine, account: Account): Promise<void> {
  const most = ROWS_MIN + ROWS_PER_ACT * (account.messages.length + account.answers.length);
  for (const [table, rows] of await rowCounts(disk.db)) {
    if (rows > most) account.problem(`grows: ${rows} rows in ${table} of ${name}`);
  }
}

async function ledgerSound({ name, disk, running }: Machine, account: Account): Promise<void> {
  const ledger = running?.layer.ledger;
  if (!ledger) return account.problem(`${name} does not run`);
  const report = await ledger.fsck(disk.db);
  if (!report.isSound) account.problem(`ledger of ${name}: ${JSON.stringify(report.problems)}`);
}

/** Both sides of a conversation export it; the bundles must agree. */
async function ledgersAgree(world: World, { machines, pairs }: Site & Connected, account: Account) {
  const random = world.random("compared");
  const { verify } = world.signatures.verifier;
  for (let count = 0; count < Math.min(COMPARED_MAX, pairs.length); count++) {
    const [one = 0, other = 0] = pairs[random.integer(pairs.length)] ?? [];
    const bundles = [];
    for (const machine of [machines[one], machines[other]]) {
      const text = machine && (await exported(machine));
      if (text) bundles.push({ name: machine.name, text });
    }
    const report = await verifyTogether(bundles, verify);
    if (bundles.length === 2 && report.verdict === "verified") continue;
    const why = report.problems.map(({ what, commit }) => `${what} (${commit})`).join("; ");
    account.problem(`ledgers of n${one} and n${other} do not agree (${bundles.length} exported): ${why}`);
  }
}

async function exported(machine: Machine): Promise<string | undefined> {
  await machine.call("ledger_checkpoint");
  const ledger = machine.running?.layer.ledger;
  const { db } = machine.disk;
  const tip = await db.get<{ id: string }>("SELECT id FROM ledger_commits ORDER BY position DESC LIMIT 1");
  if (!ledger || !tip) return undefined;
  return (await ledger.exportBundle(db, { tip: tip.id, disclose: () => false })).text;
}
