import { DarkMatterError, MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import { spkiPem } from "@darkmatter/proof";
import type { Job } from "@darkmatter/surface";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Commit } from "../commits/commit.ts";
import { commitAt, commitsWhere } from "../commits/commits.store.ts";
import type { LedgerPorts } from "../ports.ts";
import { mirrorError } from "./errors.ts";
import {
  CHECKPOINT_CHAIN,
  lastTarget,
  type MirrorCursor,
  type MirrorTarget,
  readCursor,
  readTip,
  writeTaken,
  writeTrouble,
} from "./mirror.store.ts";
import {
  acknowledged,
  type MirroredCommit,
  mirroredAct,
  mirroredCheckpoint,
  PASSPORT_KEY_ID,
} from "./mirrored-commit.ts";
import { MirrorPause, type ServerAccess, type ServerCalls, serverCalls } from "./server-calls.ts";

const POLL_PERIOD_MS = 2 * SECOND_MS;
/** The wait after a first failure; it doubles. */
const BACK_OFF_FIRST_MS = 5 * SECOND_MS;
const BACK_OFF_MAX_MS = 5 * MINUTE_MS;
/** Commits read at once. */
const BATCH = 64;

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
  { db, clock, signer, wire, report }: MirrorPorts,
  checkpoints: Pick<Checkpoints, "from">,
  access: ServerAccess,
): Mirror {
  const stopping = new AbortController();
  const calls = serverCalls(wire, access, stopping.signal);
  let running: Promise<void> = Promise.resolve();
  /** Who this node is over there; asked once, and again after trouble. */
  let target: MirrorTarget | undefined;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let failures = 0;
  /** What is noted as trouble in the database; `undefined` before this process noted anything. */
  let noted: string | null | undefined;

  async function catchUp(): Promise<void> {
    target ??= { url: access.url, agentId: await introduce(calls, signer.agentId) };
    let cursor = await readCursor(db, target);
    let ahead: Commit[] = [];
    while (!stopping.signal.aborted) {
      const [checkpoint] = await checkpoints.from(db, cursor.checkpointSize, { limit: 1 });
      if (checkpoint && checkpoint.tree_size <= cursor.next) {
        const tip = await readTip(db, target, CHECKPOINT_CHAIN);
        const mirrored = mirroredCheckpoint(signer, target.agentId, checkpoint, tip);
        cursor = await hand(target, mirrored, { ...cursor, checkpointSize: checkpoint.tree_size });
        continue;
      }
      if (ahead[0]?.position !== cursor.next) ahead = await commitsFrom(cursor.next);
      const commit = ahead.shift();
      if (!commit) return;
      const parent = commit.parent === null ? undefined : await commitAt(db, commit.parent);
      const tip = commit.parent === null ? undefined : await readTip(db, target, commit.root);
      const mirrored = mirroredAct(signer, target.agentId, commit, parent, tip);
      cursor = await hand(target, mirrored, { ...cursor, next: commit.position + 1 });
    }
  }

  const commitsFrom = (position: number) =>
    commitsWhere(db, "position >= ? ORDER BY position LIMIT CAST(? AS BIGINT)", position, BATCH);

  /** The cursor moves only once the server has said that it has it. */
  async function hand(
    to: MirrorTarget,
    mirrored: MirroredCommit,
    cursor: MirrorCursor,
  ): Promise<MirrorCursor> {
    const answer = await calls.post("/api/commit", mirrored.body, mirrored.idempotencyKey);
    const { tip, signature } = acknowledged(mirrored, answer);
    const nowMs = Math.floor(clock.now());
    await db.write((tx) => writeTaken(tx, to, cursor, { root: mirrored.root, tip, nowMs }));
    failures = 0;
    // It is there, and cannot be taken back; the key is looked at again before the next.
    if (signature !== "valid")
      throw mirrorError("MIRROR_KEY_TAKEN", `The signature of ${tip.id} counts as ${code(signature)}.`);
    return cursor;
  }

  async function note(trouble: string | null): Promise<void> {
    if (trouble === null && noted === null) return;
    if (trouble !== null && trouble !== noted) report("ledger.mirror", { reason: trouble });
    const { url } = access;
    await db.write(async (tx) => {
      const about = target ?? (await lastTarget(tx, url)) ?? { url, agentId: "" };
      await writeTrouble(tx, about, trouble, Math.floor(clock.now()));
    });
    noted = trouble;
  }

  async function run(): Promise<void> {
    if (stopping.signal.aborted || clock.monotonic() < notBeforeMs) return;
    try {
      await catchUp();
      if (!stopping.signal.aborted) await note(null);
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (error instanceof MirrorPause) {
        notBeforeMs = clock.monotonic() + error.forMs;
        return;
      }
      notBeforeMs = clock.monotonic() + Math.min(BACK_OFF_FIRST_MS * 2 ** failures, BACK_OFF_MAX_MS);
      failures += 1;
      await note(troubleOf(error));
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

/**
 * Asks who the API key belongs to, and makes the passport one of that agent's keys. Its id.
 * @throws MIRROR_NO_LEDGER, MIRROR_KEY_TAKEN
 */
async function introduce(calls: ServerCalls, passport: string): Promise<string> {
  const { agentId } = await calls.get("/api/me");
  if (typeof agentId !== "string" || !/^dm_[0-9a-f]{16}$/.test(agentId))
    throw mirrorError("MIRROR_NO_LEDGER");
  const { keys } = await calls.get("/api/agents/keys");
  const own = (Array.isArray(keys) ? keys : []).map(
    (key) => ({ ...(key as object) }) as Record<string, unknown>,
  );
  const known = own.find((key) => key.key_id === PASSPORT_KEY_ID);
  const publicKey = spkiPem(passport);
  if (!known) {
    await calls.post("/api/agents/keys", JSON.stringify({ publicKey, keyId: PASSPORT_KEY_ID }));
  } else if (String(known.public_key_pem).trim() !== publicKey.trim() || known.status !== "active") {
    throw mirrorError("MIRROR_KEY_TAKEN");
  }
  return agentId;
}

/** An error's code and sentence, if it is one of ours; both hold nothing of the server's. */
function troubleOf(error: unknown): string {
  return error instanceof DarkMatterError ? `${error.code}: ${error.message}` : reasonOf(error);
}

const code = (text: string) => (/^[a-z_]{1,40}$/.test(text) ? text : "unknown");
