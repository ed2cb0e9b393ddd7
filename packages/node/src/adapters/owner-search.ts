import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hello } from "../handshake.ts";
import { ownerSilent, ownerStopped, type Trouble } from "../trouble.ts";
import { processState, readOwnerCard } from "./owner-card.ts";
import { type OwnerLock, tryAcquire } from "./owner-lock.ts";
import { linkToOwner } from "./relay-link.ts";
import { socketTrouble } from "./socket-place.ts";

/** An owner's answer to a hello takes it a millisecond; a busy one a little longer. */
export const HELLO_MS = 1500;
/** An owner that is starting, or stopping, holds the lock without listening for about a second. */
const PATIENCE_MS = 10_000;
const RETRY_FIRST_MS = 10;
const RETRY_MOST_MS = 200;

export type Found =
  | { readonly kind: "attached"; readonly socket: Socket; readonly pid: number }
  | { readonly kind: "held"; readonly lock: OwnerLock }
  /** Nobody owns the state, and it was not wanted. */
  | { readonly kind: "nobody" }
  | { readonly kind: "trouble"; readonly trouble: Trouble; readonly lasting: boolean };

export interface Search {
  readonly socket: string;
  readonly lock: string;
  readonly ownerCard: string;
  readonly hello: Hello;
  /** Whether ownership may be taken, asked at each try. */
  mayOwn(): boolean;
  readonly signal: AbortSignal;
}

/**
 * Finds the owner of a state, or becomes it. It asks first and tries the lock second: nearly always somebody
 * answers. It waits only while the lock is held by somebody who does not listen, and never takes over on a timeout.
 */
export async function findOwner(search: Search): Promise<Found> {
  const unsafe = socketTrouble(search.socket);
  if (unsafe) return { kind: "trouble", trouble: unsafe, lasting: true };
  const until = performance.now() + PATIENCE_MS;
  for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MOST_MS)) {
    const link = await linkToOwner(search.socket, search.hello, HELLO_MS);
    if (link.kind === "attached") return { kind: "attached", socket: link.socket, pid: link.owner.pid };
    if (link.kind !== "silent") {
      if (!search.mayOwn()) return { kind: "nobody" };
      const attempt = await tryAcquire(search.lock);
      if (attempt.kind === "held") return attempt;
      if (attempt.kind === "unusable") return { kind: "trouble", trouble: attempt.trouble, lasting: true };
    }
    const trouble = troubleOf(search.ownerCard, performance.now() > until || search.signal.aborted);
    if (trouble) return { kind: "trouble", trouble, lasting: false };
    await sleep(waitMs, undefined, { signal: search.signal }).catch(() => undefined);
  }
}

/** Why an owner that holds the lock does not answer; `undefined` while there is reason to wait. */
export function troubleOf(ownerCard: string, patienceGone: boolean): Trouble | undefined {
  const pid = readOwnerCard(ownerCard)?.pid;
  const state = pid === undefined ? "unknown" : processState(pid);
  if (pid !== undefined && state === "stopped") return ownerStopped(pid);
  if (!patienceGone) return undefined;
  return ownerSilent(state === "gone" ? undefined : pid);
}
