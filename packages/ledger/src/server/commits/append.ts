import { type Clock, DAY_MS } from "@darkmatter/core";
import type { Database, Write } from "@darkmatter/store";
import { holdTail, writeTail } from "../../commits/commits.store.ts";
import { type Placed, placeInLog } from "../../log/append.ts";
import { BATCH_MAX, createBatches } from "./batches.ts";
import type { CommitDraft, StoredCommit } from "./commit.ts";
import { insertCommits, type PlacedDraft } from "./commits.store.ts";
import { type KeptRequest, keepRequest, keptRequests } from "./idempotency.store.ts";
import { storedOf } from "./new-commit.ts";

/** How long a request under an idempotency key is remembered. */
export const KEPT_MS = DAY_MS;

/** A request that may be repeated without a second commit. */
export interface Idempotency {
  readonly key: string;
  /** Of what was asked for. */
  readonly requestHash: string;
}

/** A commit that wants into the log. */
export interface AppendOrder {
  readonly draft: CommitDraft;
  readonly idempotency?: Idempotency | undefined;
  /** What lands with it or not at all. */
  readonly also?: ((tx: Write, commit: StoredCommit) => Promise<unknown>) | undefined;
}

export type Appended =
  | { readonly kind: "placed"; readonly placed: Placed }
  /** It is there already, under this key. */
  | { readonly kind: "repeated"; readonly position: number }
  /** The key was used for something else. */
  | { readonly kind: "conflict" };

/** Brings commits into the log. */
export interface Appender {
  /** Resolves once it is known, on disk, what became of it. */
  append(order: AppendOrder): Promise<Appended>;
}

/** Commits that come at a time share a transaction: one hold of the tail, one row of it written, one COMMIT. */
export function createAppender({ db, clock }: { readonly db: Database; readonly clock: Clock }): Appender {
  // SQLite has the statement for one row ready; elsewhere each statement is a way to a server and back.
  const rowsAtOnce = db.dialect === "sqlite" ? 1 : BATCH_MAX;
  const batches = createBatches<AppendOrder, Appended>({
    run: (orders) => db.write((tx) => appendOrders(tx, orders, rowsAtOnce)),
    sizeOf: ({ draft }) => draft.payload.length,
    clock,
  });
  return { append: (order) => batches.add(order) };
}

/** The one way into a server's log, for commits of every kind, within the transaction of what makes them. */
export async function appendCommit(tx: Write, draft: CommitDraft): Promise<Placed> {
  const [appended] = await appendOrders(tx, [{ draft }], 1);
  if (appended?.kind !== "placed") throw new TypeError("a commit without a key was not placed");
  return appended.placed;
}

/** Everything is decided before the first row is written, so that a refused order does not harm its neighbours. */
async function appendOrders(
  tx: Write,
  orders: readonly AppendOrder[],
  rowsAtOnce: number,
): Promise<Appended[]> {
  let tail = await holdTail(tx);
  const kept = await keptOf(tx, orders);
  const placing: (PlacedDraft & Pick<AppendOrder, "also">)[] = [];
  const keeping: KeptRequest[] = [];
  const outcomes = orders.map(({ draft, idempotency, also }): Appended => {
    const before = idempotency && kept.get(keyOf(draft.agent, idempotency.key));
    if (before) return repeatOf(before, idempotency);
    const placed = placeInLog(tail, draft);
    tail = placed.tail;
    placing.push({ draft, placed, also });
    if (idempotency) {
      const request = {
        agent: draft.agent,
        ...idempotency,
        position: placed.position,
        keptMs: draft.acceptedMs,
      };
      keeping.push(request);
      kept.set(keyOf(request.agent, request.key), request);
    }
    return { kind: "placed", placed };
  });
  if (placing.length === 0) return outcomes;
  await insertCommits(tx, placing, rowsAtOnce);
  for (const request of keeping) await keepRequest(tx, request);
  await writeTail(tx, tail);
  for (const { also, draft, placed } of placing) await also?.(tx, storedOf(draft, placed));
  return outcomes;
}

/** What is under these orders' keys by now: whoever used one first is on disk, since the tail is ours. */
async function keptOf(tx: Write, orders: readonly AppendOrder[]): Promise<Map<string, KeptRequest>> {
  const keyed = orders.flatMap(({ draft, idempotency }) =>
    idempotency ? [{ agent: draft.agent, key: idempotency.key }] : [],
  );
  if (keyed.length === 0) return new Map();
  const sinceMs = Math.min(...orders.map(({ draft }) => draft.acceptedMs)) - KEPT_MS;
  const kept = await keptRequests(tx, keyed, sinceMs);
  return new Map(kept.map((request) => [keyOf(request.agent, request.key), request]));
}

/** What a repeated request gets: the commit of the first one, if it asks for the same. */
export function repeatOf(
  kept: KeptRequest,
  { requestHash }: Idempotency,
): Exclude<Appended, { kind: "placed" }> {
  return kept.requestHash === requestHash
    ? { kind: "repeated", position: kept.position }
    : { kind: "conflict" };
}

const keyOf = (agent: string, key: string) => `${agent}/${key}`;
