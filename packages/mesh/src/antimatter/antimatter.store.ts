import type { JsonObject } from "@darkmatter/core";
import type { Migration, Read, Write } from "@darkmatter/store";
import type { Resolution } from "./routing.ts";
import type { Handoff, Signal } from "./signal.ts";

/** Log entries kept; the state file holds as many (mesh.md 4). */
export const LOG_ENTRIES_MAX = 100;
/** Of them, entries about signals of others, which anybody may send: the rest is our own fees'. */
const LOG_ENTRIES_OF_OTHERS_MAX = 50;
const OF_OTHERS =
  "json_extract(entry, '$.type') IN ('gas_signal_received', 'antimatter_resolved_callback', 'antimatter_callback_failed')";

export const antimatterMigrations: readonly Migration[] = [
  {
    name: "mesh/020-antimatter",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_antimatter_signals (
         key TEXT PRIMARY KEY,
         signal_id TEXT NOT NULL,
         role TEXT NOT NULL,
         signal TEXT NOT NULL,
         handoffs TEXT NOT NULL,
         fee TEXT NOT NULL,
         payer_wallet TEXT NOT NULL,
         state TEXT NOT NULL,
         handed_to TEXT,
         must_be_signed INTEGER NOT NULL DEFAULT 0,
         deadline_ms INTEGER NOT NULL,
         resolution TEXT,
         destination TEXT,
         resolved_by TEXT,
         due TEXT,
         due_at_ms INTEGER NOT NULL DEFAULT 0,
         attempts INTEGER NOT NULL DEFAULT 0,
         ended_at_ms INTEGER
       )`,
      "CREATE INDEX mesh_antimatter_signals_by_id ON mesh_antimatter_signals (signal_id)",
      // One payment asks for one fee, whatever it is called in notices.
      `CREATE UNIQUE INDEX mesh_antimatter_signals_by_payment
         ON mesh_antimatter_signals (json_extract(signal, '$.original_tx')) WHERE role = 'originator'`,
      "CREATE INDEX mesh_antimatter_signals_live ON mesh_antimatter_signals (state) WHERE state <> 'ended'",
      "CREATE INDEX mesh_antimatter_signals_due ON mesh_antimatter_signals (due_at_ms) WHERE due IS NOT NULL",
      "CREATE TABLE mesh_antimatter_log (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL)",
      `CREATE TABLE mesh_antimatter_reports (
         reporter TEXT NOT NULL,
         accused TEXT NOT NULL,
         at_ms INTEGER NOT NULL,
         PRIMARY KEY (reporter, accused)
       ) WITHOUT ROWID`,
    ],
  },
];

/** A signal in our hands. */
export interface HeldSignal {
  /** The signal's id for our own; a hash of what was handed to us for others', whose ids anybody may choose. */
  readonly key: string;
  readonly role: "originator" | "holder";
  readonly signal: Signal;
  readonly handoffs: readonly Handoff[];
  /** Decimal text in whole units; what our own pays. */
  readonly fee: string;
  /** Empty where unknown. */
  readonly payerWallet: string;
  /** `open`: ours to play. `handed`: another's, and its end is told to us. `ended`: decided, or none of ours any more. */
  readonly state: "open" | "handed" | "ended";
  /** Who has to tell us its end, or see to it. */
  readonly handedTo: string | null;
  /** Its end is believed only with the signatures of the chain it went. */
  readonly mustBeSigned: boolean;
  readonly deadlineMs: number;
  readonly resolution: Resolution | null;
  readonly destination: string | null;
  readonly resolvedBy: string | null;
  /** What is still to be done about an ended one. */
  readonly due: "pay" | "tell" | null;
  readonly attempts: number;
}

type SignalRow = {
  key: string;
  role: HeldSignal["role"];
  signal: string;
  handoffs: string;
  fee: string;
  payer_wallet: string;
  state: HeldSignal["state"];
  handed_to: string | null;
  must_be_signed: number;
  deadline_ms: number;
  resolution: Resolution | null;
  destination: string | null;
  resolved_by: string | null;
  due: HeldSignal["due"];
  attempts: number;
};

const fromRow = (row: SignalRow): HeldSignal => ({
  key: row.key,
  role: row.role,
  signal: JSON.parse(row.signal) as Signal,
  handoffs: JSON.parse(row.handoffs) as Handoff[],
  fee: row.fee,
  payerWallet: row.payer_wallet,
  state: row.state,
  handedTo: row.handed_to,
  mustBeSigned: row.must_be_signed === 1,
  deadlineMs: row.deadline_ms,
  resolution: row.resolution,
  destination: row.destination,
  resolvedBy: row.resolved_by,
  due: row.due,
  attempts: row.attempts,
});

/** Whether it was new. */
export async function insertSignal(
  tx: Write,
  held: Pick<HeldSignal, "key" | "role" | "signal" | "handoffs" | "fee" | "payerWallet" | "deadlineMs">,
): Promise<boolean> {
  const { key, role, signal, handoffs, fee, payerWallet, deadlineMs } = held;
  const rows = await tx.run(
    `INSERT INTO mesh_antimatter_signals
       (key, signal_id, role, signal, handoffs, fee, payer_wallet, state, deadline_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?) ON CONFLICT DO NOTHING`,
    key,
    signal.signal_id,
    role,
    JSON.stringify(signal),
    JSON.stringify(handoffs),
    fee,
    payerWallet,
    deadlineMs,
  );
  return rows > 0;
}

export async function readSignal(tx: Read, key: string): Promise<HeldSignal | undefined> {
  const row = await tx.get<SignalRow>("SELECT * FROM mesh_antimatter_signals WHERE key = ?", key);
  return row && fromRow(row);
}

/** The signal whose end may be told to us: our own, or one that we handed on and vouch for. */
export async function readAnswerable(tx: Read, signalId: string): Promise<HeldSignal | undefined> {
  const row = await tx.get<SignalRow>(
    `SELECT * FROM mesh_antimatter_signals WHERE signal_id = ? AND (role = 'originator' OR handed_to IS NOT NULL)
     ORDER BY role = 'originator' DESC, state = 'handed' DESC LIMIT 1`,
    signalId,
  );
  return row && fromRow(row);
}

export async function countOpenOfOthers(tx: Read): Promise<number> {
  const row = await tx.get<{ n: number }>(
    "SELECT count(*) AS n FROM mesh_antimatter_signals WHERE role = 'holder' AND state <> 'ended'",
  );
  return row?.n ?? 0;
}

/** Whether it was still ours to hand on. `to`: who has to tell us its end; `null` when it is told to another. */
export async function setHanded(
  tx: Write,
  key: string,
  { to, callbackUrl, mustBeSigned }: { to: string | null; callbackUrl: string; mustBeSigned: boolean },
): Promise<boolean> {
  const rows = await tx.run(
    `UPDATE mesh_antimatter_signals SET state = 'handed', handed_to = ?, must_be_signed = ?,
       signal = json_set(signal, '$.callback_url', ?) WHERE key = ? AND state = 'open'`,
    to,
    mustBeSigned ? 1 : 0,
    callbackUrl,
    key,
  );
  return rows > 0;
}

export interface End {
  readonly resolution: Resolution;
  readonly destination: string;
  readonly resolvedBy: string;
  readonly due: HeldSignal["due"];
}

/** Ends a signal. `false` for one that has ended: nothing changes. */
export async function setEnded(
  tx: Write,
  key: string,
  { resolution, destination, resolvedBy, due }: End,
  nowMs: number,
): Promise<boolean> {
  const rows = await tx.run(
    `UPDATE mesh_antimatter_signals SET state = 'ended', resolution = ?, destination = ?, resolved_by = ?, due = ?,
       due_at_ms = ?, attempts = 0, ended_at_ms = ? WHERE key = ? AND state <> 'ended'`,
    resolution,
    destination,
    resolvedBy,
    due,
    nowMs,
    nowMs,
    key,
  );
  return rows > 0;
}

/** Ends a signal that is the next holder's affair now. */
export async function setPassedOn(tx: Write, key: string, nowMs: number): Promise<void> {
  await tx.run(
    "UPDATE mesh_antimatter_signals SET state = 'ended', handed_to = NULL, ended_at_ms = ? WHERE key = ?",
    nowMs,
    key,
  );
}

/** Nothing more is to be done about it. */
export async function setDone(tx: Write, key: string): Promise<boolean> {
  return (
    (await tx.run("UPDATE mesh_antimatter_signals SET due = NULL WHERE key = ? AND due IS NOT NULL", key)) > 0
  );
}

export async function setDueLater(tx: Write, key: string, dueAtMs: number): Promise<void> {
  await tx.run(
    "UPDATE mesh_antimatter_signals SET due_at_ms = ?, attempts = attempts + 1 WHERE key = ?",
    dueAtMs,
    key,
  );
}

export async function readLive(tx: Read): Promise<HeldSignal[]> {
  const rows = await tx.all<SignalRow>("SELECT * FROM mesh_antimatter_signals WHERE state <> 'ended'");
  return rows.map(fromRow);
}

/** Keys of what is due by now. */
export async function readDue(tx: Read, nowMs: number): Promise<string[]> {
  const rows = await tx.all<{ key: string }>(
    "SELECT key FROM mesh_antimatter_signals WHERE due IS NOT NULL AND due_at_ms <= ?",
    nowMs,
  );
  return rows.map(({ key }) => key);
}

/** Forgets what ended long ago; our own are kept while their payment may be named again. */
export async function pruneSignals(tx: Write, beforeMs: number): Promise<void> {
  await tx.run(
    "DELETE FROM mesh_antimatter_signals WHERE state = 'ended' AND due IS NULL AND role = 'holder' AND ended_at_ms < ?",
    beforeMs,
  );
}

export async function appendLog(tx: Write, entry: JsonObject): Promise<void> {
  await tx.run("INSERT INTO mesh_antimatter_log (entry) VALUES (?)", JSON.stringify(entry));
  const beyond = (those: string) =>
    `DELETE FROM mesh_antimatter_log WHERE seq IN
       (SELECT seq FROM mesh_antimatter_log WHERE ${those} ORDER BY seq DESC LIMIT -1 OFFSET +?)`;
  await tx.run(beyond(OF_OTHERS), LOG_ENTRIES_OF_OTHERS_MAX);
  await tx.run(beyond("true"), LOG_ENTRIES_MAX);
}

/** Oldest first. */
export async function readLog(tx: Read): Promise<JsonObject[]> {
  const rows = await tx.all<{ entry: string }>("SELECT entry FROM mesh_antimatter_log ORDER BY seq");
  return rows.map(({ entry }) => JSON.parse(entry) as JsonObject);
}

/** Notes a report. `false` when one of the same agent about the same was taken since `sinceMs`. */
export async function takeReport(
  tx: Write,
  reporter: string,
  accused: string,
  nowMs: number,
  sinceMs: number,
): Promise<boolean> {
  const rows = await tx.run(
    `INSERT INTO mesh_antimatter_reports (reporter, accused, at_ms) VALUES (?, ?, ?)
     ON CONFLICT (reporter, accused) DO UPDATE SET at_ms = excluded.at_ms WHERE at_ms <= ?`,
    reporter,
    accused,
    nowMs,
    sinceMs,
  );
  return rows > 0;
}

export async function pruneReports(tx: Write, beforeMs: number): Promise<void> {
  await tx.run("DELETE FROM mesh_antimatter_reports WHERE at_ms < ?", beforeMs);
}
