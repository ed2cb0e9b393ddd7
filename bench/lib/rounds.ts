import { setTimeout as sleep } from "node:timers/promises";
import { cpuUs } from "./cpu.ts";
import type { Load, RoundOutcome } from "./load.ts";
import type { Reader } from "./reader.ts";

/** Between rounds, for what the system still has to do. */
const PAUSE_MS = 50;

/** A server under load. */
export interface Side {
  readonly url: string;
  readonly pid: number;
  readonly callbacks: boolean;
  /** Whether its messages ask for receipts and name a commit. */
  readonly receipts?: boolean;
}

export type Rounds = ReturnType<typeof createRounds>;

/** Rounds one after another; a round is over when every message is answered and every callback made. */
export function createRounds(load: Load, reader: Reader) {
  const accepted = new Map<Side, number>();
  return {
    accepted: (side: Side) => accepted.get(side) ?? 0,

    async run(side: Side, count: number, inFlight: number): Promise<RoundOutcome & { usedUs?: number }> {
      const { url, callbacks, receipts, pid } = side;
      const before = cpuUs(pid);
      const round = load.round({ url, count, inFlight, callbacks, receipts });
      // Under load the inbox is read all the while. Nobody works beside the probe, or beside a lone message.
      const isNode = callbacks || receipts;
      const outcome = await (isNode && inFlight > 1 ? reader.readWhile(round) : round);
      const after = cpuUs(pid);
      if (callbacks && outcome.called !== outcome.accepted) {
        throw new Error(`${outcome.accepted} messages accepted, ${outcome.called} received callbacks`);
      }
      accepted.set(side, (accepted.get(side) ?? 0) + outcome.accepted);
      await sleep(PAUSE_MS);
      return { ...outcome, ...(before !== undefined && after !== undefined && { usedUs: after - before }) };
    },
  };
}
