import { DarkMatterError, MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Job } from "@darkmatter/surface";
import { type Checkpoints, createCheckpoints } from "../../checkpoints/checkpoints.ts";
import { tryLogKey } from "../../checkpoints/log-key.ts";
import { holdTail } from "../../commits/commits.store.ts";
import { ledgerError } from "../../errors.ts";
import type { Problem } from "../../fsck/report.ts";
import { createLog, type Log } from "../../log/log.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { AskedWitness } from "./ask-witness.ts";
import { createAsking } from "./asking.ts";
import { checkEnd } from "./end-check.ts";
import { checkLogKeys, type LogKeys, requireOwnLog, takeLog } from "./log-keys.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { createPublication } from "./publication.ts";
import { createRemembered } from "./remembered.ts";
import { createKeepSignature, type KeepSignature } from "./witness-signatures.ts";

/** ledger.md 2.10. The tree is also signed at a stop, and when somebody asks. */
const CHECKPOINT_PERIOD_MS = 10 * MINUTE_MS;
/** How often it is looked whether something is to be published, or witnesses to be asked: a few rows are read. */
const FOLLOW_PERIOD_MS = 10 * SECOND_MS;

/** The log is another key's by now, or was put back to before what its key signed. */
const ENDING: ReadonlySet<string> = new Set(["LOG_KEY_WRONG", "LOG_OLDER", "LOG_DIFFERS"]);

/** What a server's log says about itself, and who is told. */
export interface ServerLog {
  readonly log: Log;
  readonly checkpoints: Checkpoints;
  readonly keys: LogKeys;
  /**
   * Signs the log as it is, if it grew since the last checkpoint, and answers the newest; `undefined` while nothing
   * was committed. It is on disk then; publication and witnesses follow by themselves.
   * @throws LOG_REWRITTEN, STATE_OLDER
   */
  checkpointNow(): Promise<SignedCheckpoint | undefined>;
  /** Publishes what is not published yet, and asks the witnesses at once. */
  witnessNow(): Promise<readonly AskedWitness[]>;
  /** Keeps a witness's signature if it is valid, and has it published. */
  readonly keepSignature: KeepSignature;
  readonly jobs: readonly Job[];
  /**
   * Tries the key, takes the log for it, and looks at the log's end and at what is remembered of it.
   * @throws LOG_KEY_BROKEN, LOG_KEY_WRONG, LEDGER_DAMAGED, LOG_OLDER, LOG_DIFFERS, LOG_MEMORY_DAMAGED
   */
  start(): Promise<void>;
  /** Why this process may no longer sign, nor serve; resolves when that is found out, which is mostly never. */
  readonly ended: Promise<DarkMatterError>;
  /** Signs the log as it is and publishes that; ends what is under way. */
  stop(): Promise<void>;
}

export function createServerLog(ports: LedgerServerPorts): ServerLog {
  const { db, clock, logKey, formerLogKeys, verifier, logMemory: memory, report } = ports;
  const keys: LogKeys = { current: logKey.agentId, former: formerLogKeys };
  const log = createLog();
  const remembered = createRemembered({ memory, keys, verifier }, log);
  const checkpoints = createCheckpoints({ clock, signer: logKey }, log);
  const publication = createPublication(ports, checkpoints, keys);
  const keepSignature = createKeepSignature(ports, publication.changed);
  const stopping = new AbortController();
  const asking = createAsking({
    ports,
    log,
    checkpoints,
    keys,
    keepSignature,
    stopping: stopping.signal,
  });
  const ended = Promise.withResolvers<DarkMatterError>();
  let wasChecked = false;

  /** An act that only the log's own server may do. What shows that this is not it ends its serving. */
  async function asItsServer<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof DarkMatterError && ENDING.has(error.code) && wasChecked) {
        wasChecked = false;
        stopping.abort();
        report("ledger.ended", { code: error.code, reason: error.message });
        ended.resolve(error);
      }
      throw error;
    }
  }

  async function remember(checkpoint: SignedCheckpoint | undefined): Promise<void> {
    try {
      if (checkpoint) await remembered.note(checkpoint);
    } catch (error) {
      // The checkpoint is signed; the next one is remembered again.
      report("ledger.memory", { reason: reasonOf(error) });
    }
  }

  async function sign(): Promise<SignedCheckpoint | undefined> {
    const made = await asItsServer(() =>
      db.write(async (tx) => {
        await takeLog(tx, keys, Math.floor(clock.now()));
        await remembered.requireIn(tx);
        return checkpoints.make(tx);
      }),
    );
    await remember(made);
    return made;
  }

  const follow = oneAtATime(async () => {
    await asItsServer(() => requireOwnLog(db, keys));
    await remember(await checkpoints.latest(db));
    await publication.catchUp();
    if (stopping.signal.aborted) return;
    await asking.poll();
    // What the witnesses signed just now.
    await publication.catchUp();
  });
  const inBackground = () =>
    void follow().catch((error) => report("ledger.follow", { reason: reasonOf(error) }));

  async function checkpointNow(): Promise<SignedCheckpoint | undefined> {
    const before = await checkpoints.latest(db);
    const made = await sign();
    if (made && made.tree_size !== before?.tree_size) inBackground();
    return made;
  }

  return {
    log,
    checkpoints,
    keys,
    checkpointNow,
    keepSignature,
    ended: ended.promise,
    jobs: [
      {
        name: "ledger.checkpoint",
        periodMs: CHECKPOINT_PERIOD_MS,
        // What was committed before a crash is signed without waiting.
        atStart: true,
        run: async () => void (await checkpointNow()),
      },
      { name: "ledger.follow", periodMs: FOLLOW_PERIOD_MS, atStart: true, run: follow },
    ],

    async witnessNow() {
      await publication.catchUp();
      const asked = await asking.round();
      await publication.catchUp();
      return asked;
    },

    async start() {
      await tryLogKey({ signer: logKey, verifier });
      await remembered.load();
      await checkLogKeys(db, keys, verifier);
      const problem = await db.write(async (tx) => {
        await holdTail(tx);
        return checkEnd(tx);
      });
      if (problem) throw ledgerError("LEDGER_DAMAGED", sentenceOf(problem));
      await db.write(async (tx) => {
        await remembered.requireIn(tx);
        await takeLog(tx, keys, Math.floor(clock.now()));
      });
      await remember(await checkpoints.latest(db));
      wasChecked = true;
    },

    async stop() {
      stopping.abort();
      if (!wasChecked) return;
      try {
        await sign();
        await follow();
      } catch (error) {
        // The log is whole without it; whatever is to be stopped still is.
        report("ledger.checkpoint", { reason: reasonOf(error) });
      }
    },
  };
}

function sentenceOf({ kind, position, id }: Problem): string {
  return `The log is damaged at ${id ?? (position === null ? "its end" : `position ${position}`)} (${kind}).`;
}
