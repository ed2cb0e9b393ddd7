import { AsyncLocalStorage } from "node:async_hooks";
import type { Actor } from "../database.ts";

const current = new AsyncLocalStorage<Actor | undefined>();

/** Runs what somebody does in the agent's place: every `write` begun in it has that one as its `tx.actor`. */
export function actingAs<T>(actor: Actor | undefined, run: () => T): T {
  return current.run(actor, run);
}

/** Who acts where this is called. */
export const actorNow = (): Actor | undefined => current.getStore();
