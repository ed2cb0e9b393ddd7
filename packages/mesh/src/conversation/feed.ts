import { HOUR_MS, isoTime, parseTime } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";
import { oneLine } from "../answers.ts";
import { readNames, readRanked, readSaid } from "./conversation.store.ts";
import { CONVERSATION_ENTRIES_MAX, type Ranked, type Said } from "./entry.ts";

/** Whose feed it is, and when. */
export interface FeedView {
  readonly self: string;
  readonly nowMs: number;
  /** The message that is to be answered: it counts tenfold. */
  readonly respondingTo?: string | undefined;
  /** Whose words are answered: what others said to us alone, and we to them, is left out. */
  readonly peer?: string | undefined;
}

/** What an agent should remember of what was said, each list from the most to the least important. */
export interface Feed<Entry> {
  readonly direct: readonly Entry[];
  readonly network: readonly Entry[];
}

/** Of each kind. */
const FEED_MAX = 15;
/** A word counts half after so long. */
const HALF_LIFE_MS = HOUR_MS;
/** Not even the most distrusted count for nothing. */
const TRUST_MIN = 0.1;
const ANSWERED_BOOST = 10;
const BOOSTS: Readonly<Record<string, number>> = { direct: 2, reply: 1.5, broadcast: 1, forward: 0.5 };
const CONTENT_CODE_POINTS = 200;
const NAME_CODE_POINTS = 40;
const TARGETS_SHOWN = 3;
const ID_CHARACTERS = 12;

/** How much a word matters now: the newer, the more trusted its author, the more it was meant for us (mesh.md 14). */
export function scoreOf(said: Ranked, { nowMs, respondingTo }: FeedView): number {
  const ageMs = Math.max(0, nowMs - (parseTime(said.at) ?? nowMs));
  const boost = said.messageId === respondingTo ? ANSWERED_BOOST : (BOOSTS[said.entryType] ?? 1);
  return 2 ** (-ageMs / HALF_LIFE_MS) * Math.max(TRUST_MIN, (said.trust + 1) / 2) * boost;
}

/** The best of what was said, what peers told everybody apart. A message counts once, at its best. */
export function rankedFeed<Entry extends Ranked>(log: readonly Entry[], view: FeedView): Feed<Entry> {
  const scored = log.map((said) => ({ said, score: scoreOf(said, view) }));
  const seen = new Set<string>();
  const ranked = scored
    .sort((one, other) => other.score - one.score)
    .filter(({ said: { messageId } }) => !seen.has(messageId) && seen.add(messageId));
  const isNews = ({ entryType, direction }: Ranked) => entryType === "broadcast" && direction === "inbound";
  const best = (ofNews: boolean) =>
    ranked
      .map(({ said }) => said)
      .filter((said) => isNews(said) === ofNews)
      .slice(0, FEED_MAX);
  return { direct: best(false), network: best(true) };
}

/** The feed as text, from the least to the most important: what stands last is read best. Empty without any entry. */
export function feedText(feed: Feed<Said>, self: string, names: ReadonlyMap<string, string>): string {
  const block = (heading: string, list: readonly Said[]) =>
    list.length === 0 ? [] : [[heading, ...list.map((said) => line(said, self, names)).reverse()].join("\n")];
  return [...block("RECENT CONVERSATION:", feed.direct), ...block("NETWORK ACTIVITY:", feed.network)].join(
    "\n\n",
  );
}

/**
 * What was said lately, ranked, for a helper's prompt: one entry a line, of bounded length, in quotes that nothing in
 * it can end. It is the words of other agents all the same: to be put inside a labelled block.
 */
export async function contextFeed(tx: Read, view: FeedView): Promise<string> {
  const { direct, network } = rankedFeed(await readRanked(tx, CONVERSATION_ENTRIES_MAX, view.peer), view);
  const seqs = [...direct, ...network].map(({ seq }) => seq);
  const said = await readSaid(tx, seqs, CONTENT_CODE_POINTS + 1);
  const whole = (list: typeof direct) => list.flatMap(({ seq }) => said.get(seq) ?? []);
  const names = new Map((await readNames(tx)).map(({ agentId, name }) => [agentId, name]));
  return feedText({ direct: whole(direct), network: whole(network) }, view.self, names);
}

function line(said: Said, self: string, names: ReadonlyMap<string, string>): string {
  const nameOf = (agentId: string) => (agentId === self ? "you" : shownName(agentId, names.get(agentId)));
  const clock = isoTime(parseTime(said.at) ?? 0).slice(11, 19);
  const isBroadcast = said.entryType === "broadcast";
  const targets = isBroadcast || said.to.length === 0 ? "" : ` → ${shownTargets(said.to.map(nameOf))}`;
  const kind = isBroadcast || said.entryType === "forward" ? ` (${said.entryType})` : "";
  return `[${clock}Z] ${nameOf(said.from)}${targets}${kind}: "${shownContent(said.content)}"`;
}

function shownTargets(names: readonly string[]): string {
  const more = names.length - TARGETS_SHOWN;
  return `${names.slice(0, TARGETS_SHOWN).join(", ")}${more > 0 ? ` +${more} more` : ""}`;
}

function shownContent(content: string): string {
  const characters = Array.from(content);
  const cut = characters.length > CONTENT_CODE_POINTS;
  const text = oneLine(characters.slice(0, CONTENT_CODE_POINTS).join(""), CONTENT_CODE_POINTS);
  return `${text.replaceAll('"', "'")}${cut ? "..." : ""}`;
}

/** A peer's own name for itself, of letters and digits alone: nothing in it looks like the rest of a line, or like us. */
function shownName(agentId: string, name: string | undefined): string {
  const plain = oneLine((name ?? "").replace(/[^\p{L}\p{N} ._-]/gu, " "), NAME_CODE_POINTS);
  return plain === "" || /^you$/i.test(plain) ? agentId.slice(0, ID_CHARACTERS) : plain;
}
