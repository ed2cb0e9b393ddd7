/** What has a place among others by its key. */
interface Keyed {
  readonly key: string;
}

/** Some that stand one after another, up to `end`, and are alike in their keys' first units. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly alike: number;
  /** How often it was split off others. */
  readonly splits: number;
}

/**
 * Sorts in place, by code point (ledger.md 2.2). Half a surrogate pair, which no JSON here holds, is above U+FFFF.
 *
 * Whoever sends the keys must not choose how long this takes: many are split by numbers made of a few units at a time,
 * since it is slow to look at long texts in memory again and again, and what that does not tell apart the engine does.
 */
export function sortByKey<Item extends Keyed>(items: Item[]): Item[] {
  sortRun(items, { start: 0, end: items.length, alike: 0, splits: 0 });
  return items;
}

/** Above this, inserting one by one is slower. */
const FEW = 16;
const SPLITS_MAX = 8;

function sortRun<Item extends Keyed>(items: Item[], run: Run): void {
  const isFew = run.end - run.start <= FEW;
  if (isFew && insertionSorted(items, run)) return;
  if (isFew || run.splits === SPLITS_MAX) sortByText(items, run);
  else split(items, run);
}

/** Units of two keys that are compared one by one. */
const COMPARED_UNITS = 64;

/** Not if two keys are alike for long. */
function insertionSorted<Item extends Keyed>(items: Item[], { start, end, alike }: Run): boolean {
  for (let at = start + 1; at < end; at++) {
    const item = items[at]!;
    let place = at;
    let order = 1;
    for (; place > start; place--) {
      order = compare(items[place - 1]!.key, item.key, alike);
      if (!(order > 0)) break;
      items[place] = items[place - 1]!;
    }
    items[place] = item;
    if (Number.isNaN(order)) return false;
  }
  return true;
}

/** NaN when they are alike for long. */
function compare(one: string, other: string, from: number): number {
  const length = Math.min(one.length, other.length);
  const end = Math.min(length, from + COMPARED_UNITS);
  for (let at = from; at < end; at++) {
    const unit = one.charCodeAt(at);
    const otherUnit = other.charCodeAt(at);
    if (unit !== otherUnit) return placeOf(unit) - placeOf(otherUnit);
  }
  return end < length ? Number.NaN : one.length - other.length;
}

function sortByText<Item extends Keyed>(items: Item[], { start, end, alike }: Run): void {
  const some = items.slice(start, end).map((item) => ({ item, text: orderTextOf(item.key.slice(alike)) }));
  // Texts may be long: looked at once. Which of two equal ones comes first is all the same.
  some.sort((one, other) => (one.text < other.text ? -1 : 1));
  for (let at = start; at < end; at++) items[at] = some[at - start]!.item;
}

/** Sorts by the units that follow those that are alike; whoever are alike in these, too, are sorted as a run. */
function split<Item extends Keyed>(items: Item[], run: Run): void {
  const some = items.slice(run.start, run.end);
  const from = alikeUnits(some, run.alike);
  const { ranks, units } = ranksOf(some, from);
  const order = some.map((_, at) => at).sort((one, other) => ranks[one]! - ranks[other]!);
  for (let at = 0; at < order.length; at++) items[run.start + at] = some[order[at]!]!;
  for (let first = 0, next = 1; first < order.length; first = next++) {
    const rank = ranks[order[first]!];
    while (next < order.length && ranks[order[next]!] === rank) next++;
    if (next - first === 1) continue;
    const [start, end] = [run.start + first, run.start + next];
    sortRun(items, { start, end, alike: from + units, splits: run.splits + 1 });
  }
}

/** How many units all keys begin with alike, of which so many are known. */
function alikeUnits(items: readonly Keyed[], known: number): number {
  const most = items[0]?.key.length ?? 0;
  let alike = known;
  // Step by step: what most keys share beyond what all do is looked at when they are split.
  for (let step = 16; alike < most; step *= 4) {
    const end = Math.min(most, alike + step);
    alike = alikeUntil(items, alike, end);
    if (alike < end) break;
  }
  return alike;
}

function alikeUntil(items: readonly Keyed[], from: number, most: number): number {
  const first = items[0]?.key ?? "";
  let end = most;
  let part = first.slice(from, end);
  for (const { key } of items) {
    // Texts are compared many units at once, characters are not.
    if (key.slice(from, end) === part) continue;
    let at = from;
    while (at < end && key.charCodeAt(at) === first.charCodeAt(at)) at++;
    end = at;
    part = first.slice(from, end);
  }
  return end;
}

/** As many digits of a rank as a double holds; 0 is the key's end. */
const ASCII = { places: 0x80, units: 7 };
const ANY = { places: 0x10000, units: 3 };

/** Numbers that stand in the order of the keys, as far as so many units tell them apart. */
function ranksOf(
  items: readonly Keyed[],
  from: number,
): { readonly ranks: Float64Array; readonly units: number } {
  const ranks = new Float64Array(items.length);
  const units = rankInto(ranks, items, from, ASCII) ? ASCII.units : ANY.units;
  if (units === ANY.units) rankInto(ranks, items, from, ANY);
  return { ranks, units };
}

/** Not if a unit's place is beyond those. */
function rankInto(
  ranks: Float64Array,
  items: readonly Keyed[],
  from: number,
  { places, units }: typeof ASCII,
): boolean {
  for (let which = 0; which < items.length; which++) {
    const { key } = items[which]!;
    let rank = 0;
    for (let at = from; at < from + units; at++) {
      const place = at < key.length ? placeOf(key.charCodeAt(at)) : -1;
      if (place >= places) return false;
      rank = rank * (places + 1) + place + 1;
    }
    ranks[which] = rank;
  }
  return true;
}

const MOVED = /[\ud800-\uffff]/;
/** What one call takes as arguments. */
const UNITS_AT_ONCE = 4096;
/** Fewer at a key's beginning are sooner written anew than put before the rest. */
const COPIED_UNITS = 256;

/** A text that the engine, which compares unit by unit, puts where the key's code points belong. */
function orderTextOf(key: string): string {
  const first = key.search(MOVED);
  if (first < 0) return key;
  const kept = first < COPIED_UNITS ? 0 : first;
  let text = key.slice(0, kept);
  for (let from = kept; from < key.length; from += UNITS_AT_ONCE) {
    const places = new Array<number>(Math.min(UNITS_AT_ONCE, key.length - from));
    for (let at = 0; at < places.length; at++) places[at] = placeOf(key.charCodeAt(from + at));
    text += String.fromCharCode.apply(undefined, places);
  }
  return text;
}

/** Among code points: surrogates, which stand for those above all that one unit can hold, after U+E000 to U+FFFF. */
function placeOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
