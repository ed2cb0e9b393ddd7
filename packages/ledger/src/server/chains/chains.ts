import { inclusionProof, type ReadNode } from "@darkmatter/proof";
import { readCommits, UNREADABLE_ROW } from "../commits/read-commits.ts";
import { createPace } from "../pace.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { type Anchor, type Step, stepOf } from "./chain-step.ts";
import { type Link, linksFrom, positionOf } from "./chains.store.ts";
import { createClientProofs } from "./client-proofs.ts";
import { type CoveringCheckpoint, coveringCheckpoint, presentTree } from "./signed-tree.ts";
import { createTreeRows, type TreeRows } from "./tree-rows.ts";

/** What walking chains needs. */
export type ChainPorts = Pick<LedgerServerPorts, "db" | "clock" | "logKey" | "formerLogKeys" | "verifier">;

/** The commits from a root to one of its descendants, as the stored links lead. */
export interface Chain {
  readonly account: number;
  /** Root first. Never empty. */
  readonly links: readonly Link[];
}

/** Steps that were looked at together, with the part of the tree that they needed. */
export interface StepPage {
  readonly steps: readonly Step[];
  readonly tree: TreeRows;
}

/** What a walk compares steps with, and reads beside them. */
export interface WalkWishes {
  readonly covering: CoveringCheckpoint | undefined;
  /** The log as it now is: for steps under no signed checkpoint. */
  readonly present: Anchor;
  /** More nodes that will be read of `tree` for a commit at this position. */
  readonly also?: (readNode: ReadNode, position: number) => Promise<unknown>;
}

const LINKS_AT_ONCE = 256;
const STEPS_AT_ONCE = 64;
/** Payloads held at once, but for a single larger one. */
const PAGE_BYTES = 8_000_000;

/** The chain that ends with a commit of an account; `undefined` for any id that is not this account's. */
export async function openChain(
  { db, clock }: Pick<ChainPorts, "db" | "clock">,
  account: number,
  id: string,
): Promise<Chain | undefined> {
  const tip = await positionOf(db, account, id);
  if (tip === undefined) return undefined;
  const links: Link[] = [];
  for (let from: number | undefined = tip; from !== undefined; ) {
    const page = await linksFrom(db, account, from, LINKS_AT_ONCE + 1);
    const isMore = page.length > LINKS_AT_ONCE;
    links.push(...(isMore ? page.slice(0, -1) : page));
    from = isMore ? page.at(-1)?.position : undefined;
    await clock.turn();
  }
  links.reverse();
  return { account, links };
}

/** What to compare the chain's steps with. */
export async function anchorsOf(
  ports: ChainPorts,
  { links }: Chain,
): Promise<Pick<WalkWishes, "covering" | "present">> {
  const tip = links.at(-1)?.position ?? 0;
  const present = await presentTree(ports.db);
  return { covering: await coveringCheckpoint(ports.db, ports, tip), present };
}

/** Recomputes a chain from its root to its tip, a page at a time; other work has its turn between two pages. */
export async function* walkChain(
  ports: ChainPorts,
  chain: Chain,
  wishes: WalkWishes,
): AsyncGenerator<StepPage> {
  const { db, clock, verifier } = ports;
  const tree = createTreeRows(db);
  const proofs = createClientProofs(db, verifier);
  const root = chain.links[0]?.position ?? 0;
  const anchorAt = anchors(wishes);
  const pace = createPace(ports);
  let before: Step | undefined;
  let index = 0;
  for (const links of pagesOf(chain.links)) {
    const commits = await readCommits(
      db,
      links.map(({ position }) => position),
    );
    await prepareTree(tree, links, anchorAt, wishes.also);
    const steps: Step[] = [];
    for (const link of links) {
      const commit = commits.get(link.position);
      const around = {
        before,
        root,
        anchor: anchorAt(link.position),
        tree,
        proofs,
      };
      before = commit ? await stepOf(commit, index, around) : unreadable(link, index);
      steps.push(before);
      index++;
      await pace(link.payloadBytes);
    }
    yield { steps, tree };
    await clock.turn();
  }
}

function anchors({ covering, present }: WalkWishes): (position: number) => Anchor {
  const { tree_size: size, tree_root: root } = covering?.checkpoint ?? { tree_size: 0, tree_root: "" };
  const signed = covering?.signedBy === undefined ? undefined : { size, root };
  return (position) => (signed && position < signed.size ? signed : present);
}

const unreadable = ({ id, position }: Link, index: number): Step => ({
  kind: "unreadable",
  index,
  id,
  position,
  fault: { reason: UNREADABLE_ROW, isOwn: true },
});

/** A chain in pieces whose payloads may be held at once. */
export function* pagesOf(links: readonly Link[]): Generator<readonly Link[]> {
  let page: Link[] = [];
  let bytes = 0;
  for (const link of links) {
    if (page.length === STEPS_AT_ONCE || (page.length > 0 && bytes + link.payloadBytes > PAGE_BYTES)) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(link);
    bytes += link.payloadBytes;
  }
  if (page.length > 0) yield page;
}

function prepareTree(
  tree: TreeRows,
  links: readonly Link[],
  anchorAt: (position: number) => Anchor,
  also: WalkWishes["also"],
): Promise<void> {
  const positions = links.map(({ position }) => position);
  const rows = positions.flatMap((position) => [position, position - 1]);
  return tree.prepare(async (readNode) => {
    for (const position of positions) {
      const { size } = anchorAt(position);
      if (position < size) await inclusionProof(readNode, position, size);
      // The left siblings of the nodes that its leaf completes.
      for (let at = position, level = 0; at % 2 === 1; at = (at - 1) / 2) await readNode(level++, at - 1);
      await also?.(readNode, position);
    }
  }, rows);
}
