import { createHash } from "node:crypto";
import { toHex } from "@darkmatter/core";

/** Everything that happened, in order, as one hash: the same for a seed on every run and machine. */
export interface Trace {
  note(kind: string, ...parts: readonly unknown[]): void;
  /** Lines so far. */
  readonly length: number;
  hash(): string;
}

/** Lines are hashed by so many characters at once: a call for each would cost more than the hashing. */
const BATCH_CHARACTERS = 32 * 1024;

/** `show` hears each line too: two runs are compared by it where their hashes differ. */
export function createTrace(now: () => number, show?: (line: string) => void): Trace {
  const running = createHash("sha256");
  let length = 0;
  let batch = "";
  const hashBatch = () => {
    running.update(batch);
    batch = "";
  };
  return {
    note(kind, ...parts) {
      const line = `${now()} ${kind} ${parts.map(word).join(" ")}\n`;
      batch += line;
      if (batch.length >= BATCH_CHARACTERS) hashBatch();
      length++;
      show?.(line);
    },
    get length() {
      return length;
    },
    hash() {
      hashBatch();
      return running.copy().digest("hex");
    },
  };
}

const word = (part: unknown): string => (part instanceof Uint8Array ? toHex(part) : String(part));
