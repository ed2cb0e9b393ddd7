import type { Json } from "@darkmatter/core";
import type { Write } from "./database.ts";

/** An act worth proving afterwards (mesh.md 22.5 lists the names). */
export interface JournalEvent {
  readonly act: string;
  /** What it is about, grouped: the message id or connection id. */
  readonly trace: string;
  readonly peer: string | null;
  readonly messageId?: string | undefined;
  readonly fields: Readonly<Record<string, Json>>;
}

/** Writes acts down, in the act's own transaction. */
export interface Journal {
  append(tx: Write, event: JournalEvent): Promise<void>;
}
