import { DarkMatterError, MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { LedgerPorts } from "../ports.ts";
import { createHandOver } from "./hand-over.ts";
import { introduce } from "./introduction.ts";
import { lastTarget, type MirrorTarget, writeTrouble } from "./mirror.store.ts";
import { MirrorPause, type ServerAccess, serverCalls } from "./server-calls.ts";

const POLL_PERIOD_MS = 2 * SECOND_MS;
/** The wait after a first failure; it doubles. */
const BACK_OFF_FIRST_MS = 5 * SECOND_MS;
const BACK_OFF_MAX_MS = 5 * MINUTE_MS;

/**
 * Copies this log to a ledger server in the background, in order: each act as a commit of the agent the API key belongs
 * to, each checkpoint as one, too. What the server acknowledged is noted with where to go on; what is sent again after
 * a crash carries the same idempotency key. Content never leaves: a payload holds commitments.
 */
export interface Mirror {
  readonly job: Job;
  /** Ends the call under way. */
  stop(): Promise<void>;
}

export type MirrorPorts = Pick<LedgerPorts, "db" | "clock" | "signer" | "wire" | "report">;

export function createMirror(
  ports: MirrorPorts,
  checkpoints: Pick<Checkpoints, "from">,
  access: ServerAccess,
): Mirror {
  const { clock, signer, wire } = ports;
  const stopping = new AbortController();
  const calls = serverCalls(wire, access, stopping.signal);
  const handOver = createHandOver({ ...ports, checkpoints, calls });
  const note = createNotes(ports, access.url);
  let running: Promise<void> = Promise.resolve();
  /** Who this node is over there; asked once, and again after trouble. */
  let target: MirrorTarget | undefined;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let failures = 0;

  async function catchUp(): Promise<void> {
    target ??= { url: access.url, agentId: await introduce(calls, signer.agentId) };
    while (!stopping.signal.aborted && (await handOver.next(target))) failures = 0;
  }

  async function run(): Promise<void> {
    if (stopping.signal.aborted || clock.monotonic() < notBeforeMs) return;
    try {
      await catchUp();
      if (!stopping.signal.aborted) await note(null, target);
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (error instanceof MirrorPause) {
        notBeforeMs = clock.monotonic() + error.forMs;
        return;
      }
      notBeforeMs = clock.monotonic() + Math.min(BACK_OFF_FIRST_MS * 2 ** failures, BACK_OFF_MAX_MS);
      failures += 1;
      await note(troubleOf(error), target);
      target = undefined;
    }
  }

  return {
    job: {
      name: "ledger.mirror",
      periodMs: POLL_PERIOD_MS,
      run() {
        running = run();
        return running;
      },
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled([running]);
    },
  };
}

/** Notes what keeps the mirror from going on, or that nothing does; says it once. */
function createNotes({ db, clock, report }: MirrorPorts, url: string) {
  /** What is noted in the database; `undefined` before this process noted anything. */
  let noted: string | null | undefined;

  return async (trouble: string | null, target: MirrorTarget | undefined): Promise<void> => {
    if (trouble === null && noted === null) return;
    if (trouble !== null && trouble !== noted) report("ledger.mirror", { reason: trouble });
    await db.write(async (tx) => {
      const about = target ?? (await lastTarget(tx, url)) ?? { url, agentId: "" };
      await writeTrouble(tx, about, trouble, Math.floor(clock.now()));
    });
    noted = trouble;
  };
}

/** An error's code and sentence, if it is one of ours; both hold nothing of the server's. */
function troubleOf(error: unknown): string {
  return error instanceof DarkMatterError ? `${error.code}: ${error.message}` : reasonOf(error);
}
