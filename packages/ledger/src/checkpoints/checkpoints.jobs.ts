import { MINUTE_MS } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import type { Job } from "@darkmatter/surface";
import type { Checkpoints } from "./checkpoints.ts";

/** ledger.md 2.10. The tree is also signed at a stop, and when somebody asks. */
const CHECKPOINT_PERIOD_MS = 10 * MINUTE_MS;

export function checkpointJobs(db: Database, checkpoints: Checkpoints): Job[] {
  return [
    {
      name: "ledger.checkpoint",
      periodMs: CHECKPOINT_PERIOD_MS,
      async run() {
        await db.write((tx) => checkpoints.make(tx));
      },
    },
  ];
}
