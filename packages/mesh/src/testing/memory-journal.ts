import { sha256Hex } from "@darkmatter/core";
import type { Journal, JournalEvent } from "@darkmatter/store";
import { meshError } from "../errors.ts";

/** An act that is on disk, and the hash by which others may name it. */
export interface RecordedEvent extends JournalEvent {
  readonly hash: string;
  /** The key of who did it in the agent's place. */
  readonly actor?: string;
}

/** A journal whose entries have hashes, as a ledger's commits do, without its chains. */
export interface MemoryJournal extends Journal {
  /** What was committed, in order. */
  readonly events: readonly RecordedEvent[];
  /** The committed acts of a trace, as `act` and what the peer called its side. */
  of(trace: string): readonly RecordedEvent[];
}

/** `rows` keeps the acts in the database, so that a fault there undoes them like everything else of an act. */
export function memoryJournal(name: string, rows: Journal): MemoryJournal {
  const events: RecordedEvent[] = [];
  let appended = 0;
  return {
    events,
    of: (trace) => events.filter((event) => event.trace === trace),

    async append(tx, event) {
      // As the ledger does.
      if (tx.actor && tx.actor.sign("") === undefined) throw meshError("FORBIDDEN", "Its time is over.");
      await rows.append(tx, event);
      appended++;
      const hash = sha256Hex(`${name} ${appended} ${JSON.stringify(event)}`);
      const by = tx.actor && { actor: tx.actor.publicKey };
      tx.afterCommit(() => void events.push({ ...event, hash, ...by }));
      return hash;
    },
  };
}
