import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Figures, median, medianRatio } from "../lib/figures.ts";
import { firstLine } from "../lib/first-line.ts";
import { endChild, type Home, makeHome } from "../lib/home.ts";
import { startLoad } from "../lib/load.ts";
import { startReader } from "../lib/reader.ts";
import { createRounds, type Side } from "../lib/rounds.ts";
import { openSession } from "../lib/session.ts";

const IN_FLIGHT = 64;
const SIZES = {
  whole: { rounds: 12, messages: 3000, warmUp: 9000, talk: 400 },
  short: { rounds: 4, messages: 800, warmUp: 1600, talk: 60 },
};
type Size = (typeof SIZES)["whole"];

const SETTINGS = {
  DARKMATTER_RATE_GLOBAL: "-1",
  DARKMATTER_RATE_PER_CONNECTION: "-1",
  DARKMATTER_INBOX_MAX: "1000000",
};

const PLAIN_NODE = join(import.meta.dirname, "..", "children", "plain-node.ts");

/**
 * What proof costs a node: messages it takes with commits, receipts and tree, beside the same node with its journal as
 * a plain table, which calls the sender back instead of giving a receipt.
 */
export async function measureOverhead(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const size = short ? SIZES.short : SIZES.whole;
  await measureThroughput(figures, size);
  await measureBytes(figures, size);
}

async function measureThroughput(figures: Figures, size: Size): Promise<void> {
  await using provingHome = makeHome(SETTINGS);
  await using plainHome = makeHome(SETTINGS, PLAIN_NODE);
  await using load = await startLoad();
  const [proving, plain] = [await startNode(provingHome), await startNode(plainHome)];
  await load.connect(proving.url, { receipts: true });
  await load.connect(plain.url);
  await using provingReader = startReader(await openSession(provingHome));
  await using plainReader = startReader(await openSession(plainHome));

  const proved: Side = { ...proving, callbacks: false, receipts: true };
  const sides = [
    { side: { ...plain, callbacks: true } as Side, rounds: createRounds(load, plainReader) },
    { side: proved, rounds: createRounds(load, provingReader) },
    // The same bytes on the wire as with the plain table: what commits and tree alone cost.
    { side: { ...proving, callbacks: true } as Side, rounds: createRounds(load, provingReader) },
  ];
  for (const { side, rounds } of sides) await rounds.run(side, size.warmUp, IN_FLIGHT);
  const speeds = sides.map((): number[] => []);
  for (let round = 0; round < size.rounds; round++) {
    // Each goes first as often as the others.
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (round + turn) % sides.length;
      const { side, rounds } = sides[at] as (typeof sides)[number];
      const { accepted, settledMs } = await rounds.run(side, size.messages, IN_FLIGHT);
      speeds[at]?.push((accepted / settledMs) * 1000);
    }
  }
  const [plainSpeeds = [], provedSpeeds = [], bareSpeeds = []] = speeds;
  figures.add("ledger.messages_per_second", median(provedSpeeds), "messages/s");
  figures.add("ledger.plain_messages_per_second", median(plainSpeeds), "messages/s");
  figures.add("ledger.message_overhead", medianRatio(provedSpeeds, plainSpeeds), "ratio", {
    least: 0.6,
    noisy: true,
  });
  figures.add("ledger.message_overhead_same_wire", medianRatio(bareSpeeds, plainSpeeds), "ratio");

  const expected = size.warmUp * 2 + size.messages * size.rounds * 2;
  await Promise.all([proving, plain].map(({ child }) => endChild(child)));
  const commits = readOne(
    provingHome,
    "SELECT count(*) AS n FROM ledger_commits WHERE json_extract(payload, '$.act') = 'message.received'",
  );
  figures.add("ledger.messages_without_commit", expected - commits, "messages", { most: 0 });
}

/** Two nodes of ours talk: what one message leaves behind, on both sides together. */
async function measureBytes(figures: Figures, { talk }: Size): Promise<void> {
  await using anaHome = makeHome(SETTINGS);
  await using boHome = makeHome(SETTINGS);
  const [ana, bo] = [await startNode(anaHome), await startNode(boHome)];
  const agent = await openSession(anaHome);
  await agent.call("darkmatter_connection", { action: "request", target_url: bo.url });
  const before = [anaHome, boHome].map(ledgerBytes);
  for (let number = 0; number < talk; number++) {
    const content = `${number} ${"x".repeat(450)}`;
    await agent.call("darkmatter_send_message", { content, target_agent_id: bo.agentId });
  }
  await Promise.all([ana, bo].map(({ child }) => endChild(child)));
  const after = [anaHome, boHome].map(ledgerBytes);
  const sum = (of: readonly number[]) => of.reduce((all, one) => all + one, 0);
  figures.add("ledger.bytes_per_message", (sum(after) - sum(before)) / talk, "bytes");
}

async function startNode(home: Home) {
  const child = home.start(["up", "--json"], ["ignore", "pipe", "inherit"]);
  const { url, agent_id: agentId } = await firstLine<{ url: string; agent_id: string }>(child);
  return { url, agentId, child, pid: child.pid ?? 0 };
}

/** Pages of the ledger's tables and of the receipts, with their indices. */
function ledgerBytes(home: Home): number {
  return readOne(
    home,
    `SELECT sum(pgsize) AS n FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema
       WHERE tbl_name LIKE 'ledger%' OR tbl_name LIKE 'mesh_receipts%')`,
  );
}

function readOne(home: Home, sql: string): number {
  const db = new DatabaseSync(home.database(), { readOnly: true });
  try {
    return Number(db.prepare(sql).get()?.n);
  } finally {
    db.close();
  }
}
