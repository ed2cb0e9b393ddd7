import { DatabaseSync } from "node:sqlite";
import type { Account } from "./agents.ts";
import type { Side } from "./side.ts";

export interface Verdict {
  /** Acknowledged messages the receiver does not hold, and acknowledged answers the sender does not. */
  readonly lost: readonly string[];
  /** Shown to the agent again after its answer, waiting for it although the answer arrived, or taken twice. */
  readonly actedTwice: readonly string[];
  /** Messages nobody answered, and answers still kept back. */
  readonly waiting: readonly string[];
}

const WAITING = "SELECT message_id AS id FROM mesh_inbox";
const OPEN_COPIES =
  "SELECT message_id AS id FROM mesh_outbox WHERE next_at_ms IS NOT NULL OR trying_at_ms IS NOT NULL";
const RECEIVED = commitsOf("message.received", "message_id");
const ANSWERED = commitsOf("message.answered", "message_id");
const ANSWERS = commitsOf(
  "message.answered",
  "message_id || ' ' || json_extract(fields, '$.response.value')",
);
/** No text was sent by more than one call. */
const TEXTS = commitsOf("message.received", "json_extract(fields, '$.content.value')");
/** What the sender could show, of the messages it still keeps. */
const UNSHOWN = `SELECT message_id AS id FROM mesh_sent WHERE status <> 'responded'
  OR NOT EXISTS (SELECT 1 FROM mesh_responses WHERE mesh_responses.message_id = mesh_sent.message_id)`;

/**
 * Messages not answered yet, or whose answers have not arrived yet as far as the receiver knows. One that fell out of
 * the sender's hundred, answered or never acknowledged, is refused there: the receiver keeps it for its hour.
 */
export function waiting({ acknowledged }: Account, sender: Side, receiver: Side): readonly string[] {
  using there = openForReading(receiver);
  using here = openForReading(sender);
  const held = new Set(here.ids("SELECT message_id AS id FROM mesh_sent"));
  const arrived = new Set(here.ids(ANSWERED));
  const isDue = (id: string) => held.has(id) || (acknowledged.has(id) && !arrived.has(id));
  return there.ids(WAITING).filter(isDue);
}

/** Messages that a sender has still to bring, or to hear of. */
export function onTheWay(sender: Side): readonly string[] {
  using here = openForReading(sender);
  return here.ids(OPEN_COPIES);
}

/** Compares what the agents were told with what both databases hold. Both nodes have ended. */
export function judge(account: Account, sender: Side, receiver: Side): Verdict {
  const { acknowledged, answered, shownAgain } = account;
  using there = openForReading(receiver);
  using here = openForReading(sender);
  const inbox = there.ids(WAITING);
  const offered = new Set(there.ids("SELECT message_id AS id FROM mesh_inbox WHERE answer IS NULL"));
  const received = there.ids(RECEIVED);
  const replied = there.ids(ANSWERED);
  const arrived = here.ids(ANSWERED);
  const unshown = new Set(here.ids(UNSHOWN));
  const answers = new Set(here.ids(ANSWERS));

  const known = new Set(received);
  const kept = new Set([...inbox, ...replied]);
  const lostAnswers = [...answered].filter(([id, text]) => unshown.has(id) || !answers.has(`${id} ${text}`));
  const twice = [
    ...shownAgain,
    ...repeated(received),
    ...repeated(there.ids(TEXTS)),
    ...repeated(replied),
    ...repeated(arrived),
    ...arrived.filter((id) => offered.has(id)),
    ...[...answered.keys()].filter((id) => offered.has(id)),
  ];
  return {
    lost: [
      ...[...acknowledged].filter((id) => !known.has(id) || !kept.has(id)),
      ...lostAnswers.map(([id, text]) => `${text} to ${id}`),
    ],
    actedTwice: [...new Set(twice)],
    waiting: waiting(account, sender, receiver),
  };
}

/** What the commits of one act say, as `id`. */
export function commitsOf(act: string, what: string): string {
  return `SELECT ${what} AS id FROM (
    SELECT position, json_extract(payload, '$.act') AS act, json_extract(payload, '$.message_id') AS message_id,
      json_extract(payload, '$.peer') AS peer FROM ledger_commits
  ) LEFT JOIN ledger_fields USING (position) WHERE act = '${act}'`;
}

export function openForReading({ home }: Pick<Side, "home">) {
  const db = new DatabaseSync(home.database(), { readOnly: true });
  return {
    ids: (sql: string) =>
      db
        .prepare(sql)
        .all()
        .map(({ id }) => String(id)),
    [Symbol.dispose]: () => db.close(),
  };
}

export function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => seen.has(id) || !seen.add(id));
}
