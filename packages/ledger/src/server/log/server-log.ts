import { MINUTE_MS, reasonOf } from "@darkmatter/core";
import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Job } from "@darkmatter/surface";
import { type Checkpoints, createCheckpoints } from "../../checkpoints/checkpoints.ts";
import { tryLogKey } from "../../checkpoints/log-key.ts";
import { createLog, type Log } from "../../log/log.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { checkLogKeys, type LogKeys } from "./log-keys.ts";

/** ledger.md 2.10. The tree is also signed at a stop, and when somebody asks. */
const CHECKPOINT_PERIOD_MS = 10 * MINUTE_MS;

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
  readonly jobs: readonly Job[];
  /** Tries the key, and looks at the end of the log. @throws LOG_KEY_BROKEN, LOG_KEY_WRONG, LEDGER_DAMAGED */
  start(): Promise<void>;
  /** Signs the log as it is. */
  stop(): Promise<void>;
}

export function createServerLog(ports: LedgerServerPorts): ServerLog {
  const { db, clock, logKey, formerLogKeys, verifier, report } = ports;
  const keys: LogKeys = { current: logKey.agentId, former: formerLogKeys };
  const log = createLog();
  const checkpoints = createCheckpoints({ clock, signer: logKey }, log);
  let wasChecked = false;

  const checkpointNow = () => db.write((tx) => checkpoints.make(tx));

  return {
    log,
    checkpoints,
    keys,
    checkpointNow,
    jobs: [
      {
        name: "ledger.checkpoint",
        periodMs: CHECKPOINT_PERIOD_MS,
        // What was committed before a crash is signed without waiting.
        atStart: true,
        run: async () => void (await checkpointNow()),
      },
    ],

    async start() {
      await tryLogKey({ signer: logKey, verifier });
      await checkLogKeys(db, keys, verifier);
      wasChecked = true;
    },

    async stop() {
      if (!wasChecked) return;
      try {
        await checkpointNow();
      } catch (error) {
        // The log is whole without it; whatever is to be stopped still is.
        report("ledger.checkpoint", { reason: reasonOf(error) });
      }
    },
  };
}
