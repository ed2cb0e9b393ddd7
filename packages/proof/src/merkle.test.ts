import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendLeaf,
  consistencyProof,
  type Frontier,
  type InclusionStep,
  inclusionProof,
  nodeHash,
  type ReadNode,
  rootAt,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";

const SIZES = 130;
const sha = (...parts: Buffer[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const leafOf = (index: number) => sha(Buffer.from(`\0leaf ${index}`)).toString("hex");
const LEAVES = Array.from({ length: SIZES }, (_, index) => leafOf(index));

// RFC 9162 2.1.1, 2.1.3.1 and 2.1.4.1 word for word: slow, and nothing shared with the code under test.
const split = (count: number) => {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
};
/** Leaves are runs of `LEAVES`, no two of which are alike: first and count name them. */
const hashed = new Map<string, string>();
function mth(leaves: string[]): string {
  const [only] = leaves;
  if (only !== undefined && leaves.length === 1) return only;
  const name = `${only} ${leaves.length}`;
  const hash = hashed.get(name) ?? mthOfTwo(leaves);
  hashed.set(name, hash);
  return hash;
}
function mthOfTwo(leaves: string[]): string {
  const k = split(leaves.length);
  const children = [mth(leaves.slice(0, k)), mth(leaves.slice(k))].map((hash) => Buffer.from(hash, "hex"));
  return sha(Buffer.of(1), ...children).toString("hex");
}
function path(index: number, leaves: string[]): InclusionStep[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...path(index, leaves.slice(0, k)), { direction: "right", hash: mth(leaves.slice(k)) }]
    : [...path(index - k, leaves.slice(k)), { direction: "left", hash: mth(leaves.slice(0, k)) }];
}
function subproof(first: number, leaves: string[], isWhole: boolean): string[] {
  if (first === leaves.length) return isWhole ? [] : [mth(leaves)];
  const k = split(leaves.length);
  return first <= k
    ? [...subproof(first, leaves.slice(0, k), isWhole), mth(leaves.slice(k))]
    : [...subproof(first - k, leaves.slice(k), false), mth(leaves.slice(0, k))];
}

const roots = LEAVES.map((_, index) => mth(LEAVES.slice(0, index + 1)));
const rootOfSize = (size: number) => roots[size - 1] ?? "";

/** A log as a ledger keeps it: what each append completes is stored under its level, and nothing is stored twice. */
function grown(count: number): { frontiers: Frontier[]; readOf: (size: number) => ReadNode } {
  const nodes = new Map<string, { hash: string; completeAt: number }>();
  const frontiers: Frontier[] = [];
  let frontier: Frontier = [];
  for (const [size, leaf] of LEAVES.slice(0, count).entries()) {
    const appended = appendLeaf(frontier, size, leaf);
    for (const [level, hash] of [leaf, ...appended.completed].entries()) {
      const key = `${level}/${(size + 1) / 2 ** level - 1}`;
      expect(nodes.has(key)).toBe(false);
      nodes.set(key, { hash, completeAt: size + 1 });
    }
    frontier = appended.frontier;
    frontiers.push(frontier);
  }
  const readOf = (size: number) => async (level: number, index: number) => {
    const node = nodes.get(`${level}/${index}`);
    if (!node || node.completeAt > size) throw new Error(`node ${level}/${index} asked of ${size} leaves`);
    return node.hash;
  };
  return { frontiers, readOf };
}
const log = grown(SIZES);

/** Every proof of one element less, one more, two swapped, one altered. */
function spoilt<Element>(proof: readonly Element[], others: (element: Element) => Element[]): Element[][] {
  const [some] = proof;
  const extra = some === undefined ? [] : proof.flatMap((_, at) => [proof.toSpliced(at, 0, some)]);
  return [
    ...extra,
    ...(some === undefined ? [] : [[...proof, some]]),
    ...proof.map((_, at) => proof.toSpliced(at, 1)),
    ...proof.slice(1).map((element, at) => proof.toSpliced(at, 2, element, proof[at] as Element)),
    ...proof.flatMap((element, at) => others(element).map((other) => proof.with(at, other))),
  ];
}
const otherHashes = (hash: string) => [
  `${hash[0] === "0" ? "1" : "0"}${hash.slice(1)}`,
  hash.toUpperCase(),
  hash.slice(1),
  `${hash}0`,
];
const otherSteps = ({ direction, hash }: InclusionStep): InclusionStep[] => [
  ...otherHashes(hash).map((other) => ({ direction, hash: other })),
  { direction: direction === "left" ? "right" : "left", hash },
];

describe("an appended leaf", () => {
  test("gives the root that the definition gives, at every size", () => {
    for (let size = 1; size <= SIZES; size++)
      expect(rootOf(log.frontiers[size - 1] ?? [])).toBe(rootOfSize(size));
  });

  test("stores each perfect subtree once, and the tree of any earlier size can be read from them", async () => {
    for (let size = 1; size <= SIZES; size++)
      expect(await rootAt(log.readOf(size), size)).toBe(rootOfSize(size));
  });

  test("is refused on a frontier of another size", () => {
    expect(() => appendLeaf([LEAVES[0] ?? ""], 3, LEAVES[1] ?? "")).toThrow(RangeError);
  });

  test("the empty tree's root is the hash of nothing", () => {
    expect(rootOf([])).toBe(sha(Buffer.alloc(0)).toString("hex"));
  });

  test("a node is the hash of 0x01 and both children", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
        const both = Buffer.from(bytes);
        const hex = both.toString("hex");
        expect(nodeHash(hex.slice(0, 64), hex.slice(64))).toBe(sha(Buffer.of(1), both).toString("hex"));
      }),
    );
  });
});

describe("an inclusion proof", () => {
  test("is that of RFC 9162 and holds, for every leaf of every size", async () => {
    for (let size = 1; size <= SIZES; size++) {
      const read = log.readOf(size);
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(read, index, size);
        expect(proof).toEqual(path(index, LEAVES.slice(0, size)));
        const leaf = LEAVES[index] ?? "";
        expect(verifyInclusion({ leaf, index, size, proof, root: rootOfSize(size) })).toBe(true);
      }
    }
  });

  test("holds for no other leaf, index, size or root, and with no step altered, dropped, added, swapped or turned", () => {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 11, 64, 65, 100, 129]) {
      for (let index = 0; index < size; index++) {
        const proof = path(index, LEAVES.slice(0, size));
        const [leaf = "", root] = [LEAVES[index], rootOfSize(size)];
        const claim = { leaf, index, size, proof, root };
        for (const other of spoilt(proof, otherSteps)) {
          expect(verifyInclusion({ ...claim, proof: other })).toBe(false);
        }
        for (const other of [index - 1, index + 1, -1, size, index + 0.5, Number.NaN]) {
          expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
        for (const other of otherHashes(leaf)) expect(verifyInclusion({ ...claim, leaf: other })).toBe(false);
        expect(verifyInclusion({ ...claim, root: rootOfSize(size + 1) })).toBe(false);
      }
    }
  });

  test("binds the size as far as it shapes the path", () => {
    const proof = path(0, LEAVES.slice(0, 5));
    const claim = { leaf: LEAVES[0] ?? "", index: 0, proof, root: rootOfSize(5) };
    for (const size of [0, 1, 2, 3, 4, 9, 16, 17]) expect(verifyInclusion({ ...claim, size })).toBe(false);
  });

  test("is not made for a leaf the tree does not have", async () => {
    await expect(inclusionProof(log.readOf(4), 4, 4)).rejects.toThrow(RangeError);
  });
});

describe("a consistency proof", () => {
  test("is that of RFC 9162 and holds, between every two sizes", async () => {
    for (let second = 1; second <= SIZES; second++) {
      const read = log.readOf(second);
      for (let first = 1; first <= second; first++) {
        const proof = await consistencyProof(read, first, second);
        expect(proof).toEqual(subproof(first, LEAVES.slice(0, second), true));
        expect(verifyConsistency(claimOf(first, second, proof))).toBe(true);
      }
    }
  });

  test("holds for no other root or size, and with no hash altered, dropped, added or swapped", () => {
    for (const second of [1, 2, 3, 4, 5, 6, 7, 8, 11, 64, 65, 100, 129]) {
      for (let first = 1; first <= second; first++) {
        const claim = claimOf(first, second, subproof(first, LEAVES.slice(0, second), true));
        for (const proof of spoilt(claim.proof, otherHashes)) {
          expect(verifyConsistency({ ...claim, proof })).toBe(false);
        }
        for (const firstRoot of [...otherHashes(claim.firstRoot), rootOfSize(first + 1)]) {
          expect(verifyConsistency({ ...claim, firstRoot })).toBe(false);
        }
        for (const secondRoot of [...otherHashes(claim.secondRoot), rootOfSize(second + 1)]) {
          expect(verifyConsistency({ ...claim, secondRoot })).toBe(false);
        }
        for (const firstSize of [0, -1, 0.5, Number.NaN, second + 1]) {
          expect(verifyConsistency({ ...claim, firstSize })).toBe(false);
        }
      }
    }
  });

  test("between equal sizes is empty", () => {
    expect(verifyConsistency(claimOf(5, 5, []))).toBe(true);
    expect(verifyConsistency(claimOf(5, 5, [LEAVES[0] ?? ""]))).toBe(false);
  });

  test("binds both sizes, even where the roots were made to fit", () => {
    const toEight = claimOf(4, 8, subproof(4, LEAVES.slice(0, 8), true));
    for (const secondSize of [9, 16, 17]) expect(verifyConsistency({ ...toEight, secondSize })).toBe(false);
    // One hash more, under which both roots of a shorter proof are put.
    const toFour = claimOf(3, 4, subproof(3, LEAVES.slice(0, 4), true));
    const [above = ""] = LEAVES;
    const [firstRoot, secondRoot] = [toFour.firstRoot, toFour.secondRoot].map((root) =>
      nodeHash(above, root),
    );
    const made = { ...toFour, firstRoot: firstRoot ?? "", secondRoot: secondRoot ?? "" };
    expect(verifyConsistency({ ...made, proof: [...toFour.proof, above] })).toBe(false);
  });

  test("of a shrunk log does not exist", async () => {
    await expect(consistencyProof(log.readOf(4), 4, 3)).rejects.toThrow(RangeError);
    await expect(consistencyProof(log.readOf(4), 0, 3)).rejects.toThrow(RangeError);
    const claim = claimOf(3, 7, subproof(3, LEAVES.slice(0, 7), true));
    const turned = { firstSize: 7, firstRoot: claim.secondRoot, secondSize: 3, secondRoot: claim.firstRoot };
    expect(verifyConsistency({ ...turned, proof: claim.proof })).toBe(false);
  });

  function claimOf(firstSize: number, secondSize: number, proof: string[]) {
    return {
      firstSize,
      firstRoot: rootOfSize(firstSize),
      secondSize,
      secondRoot: rootOfSize(secondSize),
      proof,
    };
  }
});
