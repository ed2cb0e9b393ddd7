import type { Json } from "@darkmatter/core";
import type { Write } from "./database.ts";

/** An act worth proving afterwards (mesh.md 22.5 lists the names). */
export interface JournalEvent {
  readonly act: string;
  /** What it is about, grouped: the message id or connection id. */
  readonly trace: string;
  readonly peer: string | null;
  readonly messageId?: string | undefined;
  /** The scheme-2 hash (bare hex) of the commit by which the peer recorded its side of this act, when it told. */
  readonly peerCommit?: string | undefined;
  /** What was done, by name. Proof holds a salted commitment to each value; the values can be erased. */
  readonly fields: Readonly<Record<string, Json>>;
}

/** Writes acts down, in the act's own transaction. */
export interface Journal {
  /**
   * The scheme-2 hash (bare lower-case hex) of the commit that records the act; `undefined` from a journal that keeps
   * no chain. A body that runs again gets another hash: use it inside its own transaction or after its commit only.
   */
  append(tx: Write, event: JournalEvent): Promise<string | undefined>;
}
