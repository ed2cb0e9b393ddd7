import { sha256Hex } from "@darkmatter/core";
import { isHash } from "./forms.ts";

/** One step of an inclusion proof; `direction` is the side of the sibling (ledger.md 2.10). */
export interface InclusionStep {
  readonly direction: "left" | "right";
  readonly hash: string;
}

/**
 * Reads stored nodes: the bare hash of the perfect subtree of `2 ** level` leaves whose index among its level is
 * `index`. Level 0 are the leaf hashes.
 */
export type ReadNode = (level: number, index: number) => Promise<string>;

const HASH_BYTES = 32;
/** 0x01, then both children: filled anew for each node, so that a tree costs no memory but its hashes. */
const node = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1);
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(code));
  return digit < 0 ? 0 : digit;
});

function fill(at: number, hash: string): void {
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    const high = DIGITS[hash.charCodeAt(2 * byte)] ?? 0;
    node[at + byte] = (high << 4) | (DIGITS[hash.charCodeAt(2 * byte + 1)] ?? 0);
  }
}

/** H(0x01 ‖ left ‖ right), RFC 9162 2.1.1. Both are bare hashes, whose form the caller has checked. */
export function nodeHash(left: string, right: string): string {
  fill(1, left);
  fill(1 + HASH_BYTES, right);
  return sha256Hex(node);
}

/** The roots of the perfect subtrees a tree is made of, largest first: one for each 1 in its size's binary form. */
export type Frontier = readonly string[];

/**
 * One more leaf, in O(log n). `completed` are the roots of the perfect subtrees of level 1, 2, … that this leaf
 * completes, in that order: what to store beside the leaf.
 */
export function appendLeaf(
  frontier: Frontier,
  size: number,
  leaf: string,
): { frontier: Frontier; completed: string[] } {
  const kept = [...frontier];
  const completed: string[] = [];
  let root = leaf;
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const left = kept.pop();
    if (left === undefined) throw new RangeError(`not the frontier of ${size} leaves`);
    root = nodeHash(left, root);
    completed.push(root);
  }
  return { frontier: [...kept, root], completed };
}

/** The root of a tree; of the empty one H(""), as RFC 9162 2.1.1 has it. */
export function rootOf(frontier: Frontier): string {
  return frontier.length === 0 ? sha256Hex("") : frontier.reduceRight((right, left) => nodeHash(left, right));
}

/** The level of the largest perfect subtree among `count` leaves; exact, as `Math.log2` is not beyond 2 ** 47. */
function topLevel(count: number): number {
  let level = 0;
  while (2 ** (level + 1) <= count) level++;
  return level;
}

/** The root of the leaves from `start` to before `end`, where `start` is a multiple of a power of 2 >= end - start. */
async function rangeRoot(read: ReadNode, start: number, end: number): Promise<string> {
  const peaks: string[] = [];
  for (let at = start; at < end; ) {
    const level = topLevel(end - at);
    const width = 2 ** level;
    peaks.push(await read(level, at / width));
    at += width;
  }
  return rootOf(peaks);
}

/** The tree's root when it had `size` leaves. */
export function rootAt(read: ReadNode, size: number): Promise<string> {
  return rangeRoot(read, 0, size);
}

function requireSizes(smaller: number, larger: number): void {
  if (!Number.isSafeInteger(smaller) || !Number.isSafeInteger(larger) || smaller > larger) {
    throw new RangeError(`no proof of ${smaller} in ${larger}`);
  }
}

/** RFC 9162 2.1.3.1, from the leaf up. A level where the node is the odd last one gives no step. */
export async function inclusionProof(read: ReadNode, index: number, size: number): Promise<InclusionStep[]> {
  requireSizes(index + 1, size);
  const steps: InclusionStep[] = [];
  for (let level = 0, at = index, last = size - 1; last > 0; level++) {
    if (at % 2 === 1) steps.push({ direction: "left", hash: await read(level, at - 1) });
    else if (at < last) {
      const width = 2 ** level;
      const hash = await rangeRoot(read, (at + 1) * width, Math.min((at + 2) * width, size));
      steps.push({ direction: "right", hash });
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return steps;
}

/** Whether the leaf is at that index of the tree of that size: each step, and no other, with the side it must have. */
export function verifyInclusion(claim: {
  readonly leaf: string;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly InclusionStep[];
  readonly root: string;
}): boolean {
  const { leaf, index, size, proof, root } = claim;
  if (!isSize(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  if (!isHash(leaf)) return false;
  let hash = leaf;
  let used = 0;
  for (let at = index, last = size - 1; last > 0; at = Math.floor(at / 2), last = Math.floor(last / 2)) {
    const direction = at % 2 === 1 ? "left" : "right";
    if (direction === "right" && at === last) continue;
    const step = proof[used++];
    if (!step || step.direction !== direction || !isHash(step.hash)) return false;
    hash = direction === "left" ? nodeHash(step.hash, hash) : nodeHash(hash, step.hash);
  }
  return used === proof.length && hash === root;
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 1;
}

/** RFC 9162 2.1.4.1: that the tree of `second` leaves only adds to the one of `first`, 1 <= first <= second. */
export async function consistencyProof(read: ReadNode, first: number, second: number): Promise<string[]> {
  requireSizes(1, first);
  requireSizes(first, second);
  return subproof(read, first, 0, second, true);
}

/** SUBPROOF(m, D[start:end], b) of RFC 9162; `first` counts from the tree's beginning, as `m` does from `start`. */
async function subproof(
  read: ReadNode,
  first: number,
  start: number,
  end: number,
  isWhole: boolean,
): Promise<string[]> {
  if (first === end) return isWhole ? [] : [await rangeRoot(read, start, end)];
  const middle = start + 2 ** topLevel(end - start - 1);
  return first <= middle
    ? [...(await subproof(read, first, start, middle, isWhole)), await rangeRoot(read, middle, end)]
    : [...(await subproof(read, first, middle, end, false)), await rangeRoot(read, start, middle)];
}

/** RFC 9162 2.1.4.2. Equal sizes need equal roots and an empty proof. */
export function verifyConsistency(claim: {
  readonly firstSize: number;
  readonly firstRoot: string;
  readonly secondSize: number;
  readonly secondRoot: string;
  readonly proof: readonly string[];
}): boolean {
  const { firstSize, firstRoot, secondSize, secondRoot, proof } = claim;
  if (!isSize(firstSize) || !isSize(secondSize) || firstSize > secondSize) return false;
  if (!isHash(firstRoot) || !isHash(secondRoot) || !proof.every(isHash)) return false;
  if (firstSize === secondSize) return proof.length === 0 && firstRoot === secondRoot;

  let at = firstSize - 1;
  let last = secondSize - 1;
  const up = () => {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  };
  while (at % 2 === 1) up();
  // A first tree that is perfect is itself the node the proof starts from, so it is left out of the proof.
  const [start, ...rest] = at === 0 ? [firstRoot, ...proof] : proof;
  if (start === undefined) return false;
  let [first, second] = [start, start];
  for (const hash of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      first = nodeHash(hash, first);
      second = nodeHash(hash, second);
      while (at % 2 === 0 && at !== 0) up();
    } else second = nodeHash(second, hash);
    up();
  }
  return last === 0 && first === firstRoot && second === secondRoot;
}
