import { SECOND_MS, toHex } from "@darkmatter/core";
import type { LedgerServerPorts } from "../ports.ts";
import { readReadyWord, writeReadyWord } from "./stats.store.ts";
import { keptFor } from "./stats.ts";

/** What a server needs to do its work, and whether it works at this moment. */
export interface Readiness {
  /** It takes a write and gives it back. */
  readonly database: boolean;
  /** What it signs holds. */
  readonly logKey: boolean;
}

export type ReadinessPorts = Pick<
  LedgerServerPorts,
  "db" | "clock" | "random" | "logKey" | "verifier" | "report"
>;

const WAIT_MS = 5 * SECOND_MS;
const KEPT_MS = SECOND_MS;

/** Tries the database and the log's key, at most once a second. Never rejects. */
export function createReadiness(ports: ReadinessPorts): () => Promise<Readiness> {
  const { clock, random, report } = ports;
  const tried = async (part: string, attempt: (word: string) => Promise<boolean>): Promise<boolean> => {
    try {
      return await inTime(attempt(toHex(random.bytes(16))), clock.deadline(WAIT_MS));
    } catch (error) {
      report("readiness.failed", { part, reason: error instanceof Error ? error.message : String(error) });
      return false;
    }
  };
  return keptFor(clock, KEPT_MS, async () => ({
    database: await tried("database", (word) => keepsWord(ports, word)),
    logKey: await tried("log key", (word) => signsWord(ports, word)),
  }));
}

/** Read in the same act: another process may write its own word right after it. */
const keepsWord = ({ db }: ReadinessPorts, word: string): Promise<boolean> =>
  db.write(async (tx) => {
    await writeReadyWord(tx, word);
    return (await readReadyWord(tx)) === word;
  });

async function signsWord({ logKey, verifier }: ReadinessPorts, word: string): Promise<boolean> {
  const text = `darkmatter.ready.v1\n${word}`;
  return verifier.verify(logKey.agentId, text, logKey.sign(text));
}

/** A database that hangs is not there. */
function inTime<T>(work: Promise<T>, deadline: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    deadline.addEventListener("abort", () => reject(deadline.reason), { once: true });
    work.then(resolve, reject);
  });
}
