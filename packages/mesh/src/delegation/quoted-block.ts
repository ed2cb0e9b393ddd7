import { type Random, toHex } from "@darkmatter/core";

/** One line of a block: words of ours, then words of another agent. */
export interface PeerLine {
  /** Ours: `Bio: ` and the like. Never a peer's. */
  readonly label: string;
  readonly text: string;
}

/** Words of other agents, marked so that nothing in them can end the mark. */
export interface QuotedBlock {
  /** What both marks carry: 128 random bits that no text inside can know. */
  readonly code: string;
  /** The block with its marks, one line each. */
  readonly text: string;
}

const CODE_BYTES = 16;
/** Of one line, its label aside, and of all lines together: a prompt is one argument of a command. */
export const LINE_CODE_POINTS_MAX = 1000;
export const BLOCK_CODE_POINTS_MAX = 12_000;

const CUT = "…";

export const beginMark = (code: string) => `=== PEER DATA ${code} BEGINS ===`;
export const endMark = (code: string) => `=== PEER DATA ${code} ENDS ===`;

/**
 * The one way in which words of other agents get into a prompt: between two marks that carry a fresh random code, each
 * text on a line of its own after a label of ours, without any character that breaks, hides or turns a line.
 */
export function quotedBlock(lines: readonly PeerLine[], random: Random): QuotedBlock {
  const body = bounded(lines);
  const seen = body.join("\n").normalize("NFKC").toLowerCase();
  let code = toHex(random.bytes(CODE_BYTES));
  // Nobody can guess it; that it is not there is cheap to know all the same.
  while (seen.includes(code)) code = toHex(random.bytes(CODE_BYTES));
  return { code, text: [beginMark(code), ...body, endMark(code)].join("\n") };
}

/** As many lines as there is room for, from the first on; the last that fits is cut. */
function bounded(lines: readonly PeerLine[]): string[] {
  const body: string[] = [];
  let room = BLOCK_CODE_POINTS_MAX;
  for (const { label, text } of lines) {
    if (room <= 0) break;
    const line = Array.from(`${label}${contained(text, LINE_CODE_POINTS_MAX)}`);
    body.push(line.length <= room ? line.join("") : `${line.slice(0, room).join("")}${CUT}`);
    // Its end counts, too: a hundred thousand empty lines are as long.
    room -= line.length + 1;
  }
  return body;
}

/** Ends a line somewhere, or is taken for its end by a terminal, a model or a parser. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** Seen by nobody: directions, joiners, tags, soft hyphens, variation selectors, half surrogates, unassigned ones. */
const UNSEEN = /\p{Cf}|\p{Cs}|\p{Co}|\p{Cn}|\p{Variation_Selector}|\p{Default_Ignorable_Code_Point}/gu;

/** A text on one line of at most `max` code points, with nothing in it that cannot be seen. */
export function contained(text: string, max: number): string {
  // A long text is cut before it is looked at: what a peer sends must not cost more than what is shown.
  const start = text.slice(0, 8 * max);
  const clean = start.replace(UNSEEN, "").replace(BREAKS, " ").trim();
  const points = Array.from(clean);
  return points.length <= max && start.length === text.length
    ? clean
    : `${points.slice(0, max).join("")}${CUT}`;
}
