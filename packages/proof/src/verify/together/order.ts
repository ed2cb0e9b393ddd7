import type { Entries, Entry } from "./entries.ts";

/**
 * The commits in an order they can have happened in: within a log by position, and after what they name. What neither
 * orders goes by the agents' clocks. `stuck` are those that could only have happened before what they name.
 */
export function orderOf({ logs, of }: Entries): { order: readonly Entry[]; stuck: readonly Entry[] } {
  const rest = new Map([...logs].map(([agentId, entries]) => [agentId, { entries, next: 0 }]));
  const done = new Set<Entry>();
  const order: Entry[] = [];
  const stuck: Entry[] = [];

  const isReady = ({ said }: Entry) => {
    const { peer, peer_commit } = said.payload;
    const named = peer === null || peer_commit === undefined ? undefined : of(peer, peer_commit);
    return !named || done.has(named);
  };
  for (;;) {
    // At most one candidate a log: the first that is left.
    const heads = [...rest.values()]
      .map(({ entries, next }) => entries[next])
      .filter((head) => head !== undefined);
    const ready = heads.filter(isReady);
    const next = earliest(ready) ?? earliest(heads);
    if (!next) return { order, stuck };
    if (ready.length === 0) stuck.push(next);
    const log = rest.get(next.side.agentId);
    if (log) log.next++;
    done.add(next);
    order.push(next);
  }
}

function earliest(entries: readonly Entry[]): Entry | undefined {
  return entries.reduce<Entry | undefined>(
    (first, one) => (first === undefined || keyOf(one) < keyOf(first) ? one : first),
    undefined,
  );
}

const keyOf = ({ said, side }: Entry) => `${said.step.flat.timestamp} ${side.agentId}`;
