import { seededRandom } from "@darkmatter/core/testing";
import type { LargeLedger, TestAgent, TestServer } from "@darkmatter/ledger/testing";

/** A search, whose it is, and how much it found when it was chosen. */
export interface Query {
  readonly by: TestAgent;
  readonly q: string;
  readonly filter: Readonly<Record<string, string>>;
  readonly hits: number;
}

const HITS_MAX = 1000;
/** Of ten queries with one filter or none, two find nothing; the others spread over hits in so many steps. */
const STEPS = 10;
const NOTHING_SHARE = 0.2;
/** Texts that pieces are taken from, and that say beforehand which pieces are too common. */
const SAMPLES = 2000;
const PAGE = 200;
/** Of a sample: more than `HITS_MAX` hits in so many commits. */
const heldMax = (commits: number) => 3 + (3 * HITS_MAX * SAMPLES) / commits;
const TRIES = 40_000;

type Random = ReturnType<typeof seededRandom>;
type Found = { readonly total: number; readonly results: readonly Passport[] };
type Sampled = Passport & { readonly text: string };
type Passport = {
  readonly payload: object;
  readonly trace_id: string;
  readonly event: { readonly type: string };
  readonly created_by: { readonly model: string; readonly agent_id: string };
};

export const pathOf = ({ q, filter }: Pick<Query, "q" | "filter">) =>
  `/api/search?${new URLSearchParams({ q, ...filter })}`;

/**
 * Queries whose hits spread evenly from none to a thousand, half of them with filters: pieces of words, of phrases and
 * of JSON as they stand in payloads, and words in an order that few payloads have, in any case. The same for the same
 * ledger.
 */
export async function chooseQueries(
  server: TestServer,
  ledger: LargeLedger,
  { commits, count }: { readonly commits: number; readonly count: number },
): Promise<Query[]> {
  const random = seededRandom(count);
  const owners = ledger.accounts.map(([agent]) => agent as TestAgent);
  const samples = await Promise.all(owners.map((by) => sampleOf(server, by, { commits, random })));
  const places = placesFor(count);
  const chosen: Query[] = [];
  for (let at = 0; at < TRIES && chosen.length < count; at++) {
    const owner = random.integer(owners.length);
    const [by, sample] = [owners[owner] as TestAgent, samples[owner] as readonly Sampled[]];
    const source = pick(sample, random);
    const piece = PIECES[at % PIECES.length]?.(source.text, ledger, random) ?? "";
    const q = random.integer(3) === 0 ? piece.toUpperCase() : piece;
    const filter = FILTERS[Math.floor(at / PIECES.length) % FILTERS.length]?.(source) ?? {};
    if (
      q.length < 3 ||
      !isWanted(places, filter, heldBy({ piece, filter }, sample, heldMax(commits)), commits)
    )
      continue;
    const { total } = await ask(server, by, { q, ...filter, limit: "1" });
    const place = places.get(placeOf(total, filter)) ?? 0;
    if (total > HITS_MAX || place === 0) continue;
    places.set(placeOf(total, filter), place - 1);
    chosen.push({ by, q, filter, hits: total });
  }
  if (chosen.length < count) throw new Error(`only ${chosen.length} of ${count} queries were found`);
  return chosen;
}

/** Payload texts of an account from all over the log. */
async function sampleOf(
  server: TestServer,
  by: TestAgent,
  { commits, random }: { readonly commits: number; readonly random: Random },
): Promise<Sampled[]> {
  const sample: Sampled[] = [];
  while (sample.length < SAMPLES) {
    const cursor = `${commits}-${PAGE * 10 + random.integer(commits - PAGE * 10)}`;
    const { results } = await ask(server, by, { limit: `${PAGE}`, cursor });
    for (const passport of results) sample.push({ ...passport, text: JSON.stringify(passport.payload) });
  }
  return sample;
}

async function ask(server: TestServer, by: TestAgent, wishes: Record<string, string>): Promise<Found> {
  const path = `/api/search?${new URLSearchParams(wishes)}`;
  const { status, text } = await server.call({ path }, by);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return JSON.parse(text) as Found;
}

/** Of a sample; what is too common for a query is not counted to the end. */
function heldBy({ piece, filter }: Asked, sample: readonly Sampled[], most: number): number {
  let held = 0;
  for (const passport of sample) {
    if (passport.text.includes(piece) && passes(passport, filter)) held++;
    if (held > most) break;
  }
  return held;
}

/** Whether so many of a sample may be hits of which queries are wanted; an account has up to half of the commits. */
function isWanted(places: Map<string, number>, filter: object, held: number, commits: number): boolean {
  const each = (share: number) => Math.ceil((share * commits) / SAMPLES);
  const deviation = 2 * Math.sqrt(held);
  const least = Math.max(0, held - deviation - 2) * each(1 / 5);
  const most = Math.min(HITS_MAX, (held + deviation + 1) * each(1 / 2));
  if (held > heldMax(commits) || least > HITS_MAX) return false;
  if (held === 0 && (places.get(placeOf(0, filter)) ?? 0) > 0) return true;
  for (let hits = Math.max(1, least); hits < most + HITS_MAX / STEPS; hits += HITS_MAX / STEPS)
    if ((places.get(placeOf(Math.min(hits, HITS_MAX), filter)) ?? 0) > 0) return true;
  return false;
}

interface Asked {
  readonly piece: string;
  readonly filter: Query["filter"];
}

const passes = ({ created_by, event, trace_id }: Passport, filter: Query["filter"]) =>
  (filter.model ?? created_by.model) === created_by.model &&
  (filter.agentId ?? created_by.agent_id) === created_by.agent_id &&
  (filter.event ?? event.type) === event.type &&
  (filter.traceId ?? trace_id) === trace_id;

function placesFor(count: number): Map<string, number> {
  const places = new Map<string, number>();
  for (const filter of [{}, { any: "" }]) {
    places.set(placeOf(0, filter), (count * NOTHING_SHARE) / 2);
    for (let step = 0; step < STEPS; step++)
      places.set(placeOf(1 + step * (HITS_MAX / STEPS), filter), (count * (1 - NOTHING_SHARE)) / 2 / STEPS);
  }
  return places;
}

function placeOf(hits: number, filter: object): string {
  const step = hits === 0 ? "none" : Math.floor((hits - 1) / (HITS_MAX / STEPS));
  return `${step} ${Object.keys(filter).length > 0}`;
}

type Piece = (text: string, ledger: LargeLedger, random: Random) => string;

const within: Piece = (text, _ledger, random) => {
  const word = pick(text.match(/[a-z]{4,}/g) ?? [""], random);
  const from = random.integer(Math.max(1, word.length - 2));
  return word.slice(from, from + 3 + random.integer(6));
};

const across: Piece = (text, _ledger, random) => {
  const space = pick([...text.matchAll(/ /g)], random).index;
  return text.slice(space - 1 - random.integer(6), space + 2 + random.integer(8)).trim();
};

const JSON_SIGNS = ['{"input', '?","output', '.","memory', '":{"request', '","ticket":', ',"attempt":'];
const punctuation: Piece = (text, _ledger, random) => {
  const sign = text.indexOf(pick(JSON_SIGNS, random));
  return text.slice(Math.max(0, sign - random.integer(6)), sign + 4 + random.integer(20));
};

const rare: Piece = (_text, { vocabulary }, random) =>
  pick(vocabulary.rare, random).slice(random.integer(2), 4 + random.integer(9));

/** Letters that many payloads have, words in an order that few have. */
const recombined: Piece = (_text, { vocabulary: { common, middle } }, random) =>
  [common, pick([common, middle], random), middle]
    .map((words) => pick(words, random))
    .join(" ")
    .slice(random.integer(2), 7 + random.integer(9));

const PIECES: readonly Piece[] = [within, across, rare, punctuation, within, recombined, across];

/** Filters that fit the payload that a piece is of; none for every other. */
const FILTERS: readonly ((source: Passport) => Record<string, string>)[] = [
  () => ({}),
  ({ created_by }) => ({ model: created_by.model }),
  () => ({}),
  ({ event }) => ({ event: event.type }),
  () => ({}),
  ({ created_by }) => ({ agentId: created_by.agent_id }),
  () => ({}),
  () => ({ from: "2026-01-01", to: "2026-03-15" }),
  () => ({}),
  ({ created_by, event }) => ({ model: created_by.model, event: event.type, from: "2026-01-01" }),
  () => ({}),
  ({ trace_id }) => ({ traceId: trace_id }),
];

function pick<T>(values: readonly T[], random: Random): T {
  return values[random.integer(values.length)] as T;
}
