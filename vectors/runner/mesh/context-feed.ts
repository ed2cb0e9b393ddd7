import { type Json, parseTime } from "@darkmatter/core";
import {
  activityHint,
  createHints,
  feedText,
  rankedFeed,
  type Said,
  scoreOf,
} from "@darkmatter/mesh/testing";
import { type Findings, type Outcome, ran } from "../outcome.ts";

interface Document {
  readonly now: string;
  readonly self: string;
  readonly names: Readonly<Record<string, string>>;
  readonly log: readonly Entry[];
  readonly feeds: readonly FeedCase[];
  readonly hints: readonly HintCase[];
}

interface Entry {
  readonly message_id: string;
  readonly content: string;
  readonly from_agent_id: string;
  readonly to_agent_ids: readonly string[];
  readonly timestamp: string;
  readonly entry_type: string;
  readonly direction: string;
  readonly trust_at_time: number;
}

interface FeedCase {
  readonly responding_to: string | null;
  readonly scores: Readonly<Record<string, number>>;
  readonly direct_order: readonly string[];
  readonly network_order: readonly string[];
  readonly prompt_block: string;
}

interface HintCase {
  readonly label: string;
  readonly inbox: number;
  readonly inbound_broadcasts: number;
  readonly peer_shards: number;
  readonly session: string | null;
  readonly hint: string;
}

/** What an agent is reminded of (mesh.md 14): ranks, the text of them, and hints of what is new. */
export async function* contextFeed(document: Json): AsyncIterable<Outcome> {
  const { feeds, hints, ...given } = document as unknown as Document;
  for (const feed of feeds) {
    const name = `feed, answering ${feed.responding_to ?? "nothing"}`;
    yield ran(name, (found) => checkFeed(found, feed, given));
  }
  const looks = createHints();
  for (const {
    label,
    inbox,
    inbound_broadcasts: broadcasts,
    peer_shards: peerShards,
    session,
    hint,
  } of hints) {
    yield ran(`hint: ${label}`, (found) => {
      const activity = {
        unread: inbox,
        arrived: inbox,
        notes: 0,
        notesEver: 0,
        broadcasts,
        peerShards,
        shardsTaken: peerShards,
      };
      found.equal("hint", session === null ? activityHint(activity) : looks.next(session, activity), hint);
    });
  }
}

function checkFeed(found: Findings, expected: FeedCase, given: Omit<Document, "feeds" | "hints">): void {
  const { now, self, names } = given;
  const log = given.log.map(saidOf);
  const view = {
    self,
    nowMs: parseTime(now) ?? Number.NaN,
    respondingTo: expected.responding_to ?? undefined,
  };
  for (const one of log) {
    const apart = Math.abs(scoreOf(one, view) - (expected.scores[one.messageId] ?? Number.NaN));
    found.holds(`score of ${one.messageId}`, apart < 1e-9);
  }
  const feed = rankedFeed(log, view);
  // @NOTE the reference's network list is always empty; broadcasts of others belong there, as the file's note says.
  const isNews = (id: string) => log.some((one) => one.messageId === id && isBroadcast(one));
  const ids = (list: readonly Said[]) => list.map(({ messageId }) => messageId);
  found.like(
    "direct",
    ids(feed.direct),
    expected.direct_order.filter((id) => !isNews(id)),
  );
  found.like("network", ids(feed.network), [
    ...expected.network_order,
    ...expected.direct_order.filter(isNews),
  ]);
  const text = feedText(feed, self, new Map(Object.entries(names)));
  found.equal("text", text, withNewsApart(expected.prompt_block));
}

const isBroadcast = ({ entryType, direction }: Said) => entryType === "broadcast" && direction === "inbound";

const saidOf = (entry: Entry): Said => ({
  messageId: entry.message_id,
  content: entry.content,
  from: entry.from_agent_id,
  to: entry.to_agent_ids,
  at: entry.timestamp,
  trust: entry.trust_at_time,
  entryType: entry.entry_type,
  direction: entry.direction,
});

function withNewsApart(block: string): string {
  const lines = block.split("\n");
  const news = lines.filter((line) => line.includes(" (broadcast): "));
  const rest = lines.filter((line) => !news.includes(line));
  return [rest.join("\n"), ["NETWORK ACTIVITY:", ...news].join("\n")].join("\n\n");
}
