import type { Read, Write } from "@darkmatter/store";
import type { Delegation, Handed, Work } from "./work.ts";

/** Helpers of the agent: programs started for one message or request each (mesh.md 14 Spawn, 22.7). */
export interface Delegations {
  /**
   * Hands work to a helper in the transaction that decided so: guards, grant and row are in `tx`, the process starts
   * after the commit. Work is handed once, ever. What finds no free place waits and is handed later by itself, if it
   * is still there then.
   */
  hand(tx: Write, work: Work): Promise<Handed>;
  /** Calls back after a helper's process was started; what it waits for is the listener's own. */
  onStarted(listener: (delegation: Delegation, work: Work) => void): void;
  /** Calls back when a helper has ended, however it did. */
  onEnded(listener: (delegation: Delegation) => void): void;
  /** Running and newly ended ones, newest first. */
  list(tx: Read): Promise<Delegation[]>;
  /** How many processes run now. */
  running(): number;
  /** Whether helpers are started, as the owner last said; the environment decides until then. */
  isOn(): boolean;
  setOn(tx: Write, on: boolean): Promise<void>;
  /** Ends a helper and everything it started. Throws NOT_FOUND for one that does not run. */
  end(delegationId: string): Promise<void>;
  /** The helper a token belongs to, while it may act. */
  delegateOf(token: string): Delegate | undefined;
}

/** A helper as its node sees it when it calls. */
export interface Delegate {
  readonly delegationId: string;
}
