import { DatabaseSync } from "node:sqlite";
import type { Record } from "./agents.ts";
import type { Side } from "./side.ts";

export interface Verdict {
  /** Acknowledged, and neither in the receiver's inbox nor answered there. */
  readonly lost: readonly string[];
  /** Shown to the agent again after its answer, waiting for it although the answer arrived, or answered twice. */
  readonly actedTwice: readonly string[];
  /** Messages in the receiver's inbox, by the ids. */
  readonly waiting: number;
}

/** Compares what the agents were told with what both databases hold. Both nodes have ended. */
export function judge({ acknowledged, answered, shownAgain }: Record, sender: Side, receiver: Side): Verdict {
  using there = openForReading(receiver);
  using here = openForReading(sender);
  const inbox = there.ids("SELECT message_id AS id FROM mesh_inbox");
  const offered = new Set(there.ids("SELECT message_id AS id FROM mesh_inbox WHERE answer IS NULL"));
  const received = there.ids("SELECT message_id AS id FROM journal WHERE act = 'message.received'");
  const replied = there.ids("SELECT message_id AS id FROM journal WHERE act = 'message.answered'");
  const arrived = here.ids("SELECT message_id AS id FROM journal WHERE act = 'message.answered'");

  const kept = new Set([...inbox, ...replied, ...answered]);
  const known = new Set(received);
  const twice = [
    ...shownAgain,
    ...repeated(received),
    ...repeated(replied),
    ...repeated(arrived),
    ...arrived.filter((id) => offered.has(id)),
    ...[...answered].filter((id) => offered.has(id)),
  ];
  return {
    lost: [...acknowledged].filter((id) => !known.has(id) || !kept.has(id)),
    actedTwice: [...new Set(twice)],
    waiting: inbox.length,
  };
}

function openForReading({ home }: Side) {
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

function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => seen.has(id) || !seen.add(id));
}
