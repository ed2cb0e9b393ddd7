import { type Clock, HOUR_MS, isJsonObject, type JsonObject } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import type { Database } from "@darkmatter/store";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import type { Commit } from "../commits/commit.ts";
import { commitAt, commitsWhere } from "../commits/commits.store.ts";
import { mirrorError } from "./errors.ts";
import {
  CHECKPOINT_CHAIN,
  type MirrorCursor,
  type MirrorTarget,
  readCursor,
  readTip,
  writeTaken,
} from "./mirror.store.ts";
import {
  acknowledged,
  isAcknowledgement,
  type MirroredCommit,
  mirroredAct,
  mirroredCheckpoint,
} from "./mirrored-commit.ts";
import type { ServerCalls } from "./server-calls.ts";

/** Commits read at once. */
const BATCH = 64;
/** A server remembers an idempotency key for a day; some of it is left to the clocks, and to requests on their way. */
const REPEATABLE_MS = 20 * HOUR_MS;
/**
 * What was sent last is the newest of its trace there, unless others write into that by the same API key, too. Looked at
 * one by one: an answer is as large as the commits in it.
 */
const LOOKED_AT = 5;
/** Longer ones are none: they go into a URL. */
const CURSOR_CHARACTERS_MAX = 100;

export interface HandOverPorts {
  readonly db: Database;
  readonly clock: Clock;
  readonly signer: Signer;
  readonly checkpoints: Pick<Checkpoints, "from">;
  readonly calls: ServerCalls;
}

/** Hands over this log, one act or checkpoint after another. */
export interface HandOver {
  /**
   * Hands over what comes next; whether there was anything.
   * @throws MIRROR_UNSOUND, MIRROR_DIFFERS, MIRROR_KEY_TAKEN, and what `ServerCalls` throws
   */
  next(to: MirrorTarget): Promise<boolean>;
}

/** What comes next, and the cursor once the server has it. */
interface Next {
  readonly mirrored: MirroredCommit;
  readonly after: MirrorCursor;
}

export function createHandOver(ports: HandOverPorts): HandOver {
  const { db, clock, calls } = ports;
  const nextOf = nextReader(ports);
  const arrivals = createArrivals(ports);

  return {
    async next(to) {
      const next = await nextOf(to, await readCursor(db, to));
      if (!next) return false;
      const { mirrored, after } = next;
      const answer =
        (await arrivals.earlier(to, mirrored)) ??
        (await calls.post("/api/commit", mirrored.body, mirrored.idempotencyKey));
      const { tip, signature } = acknowledged(mirrored, answer);
      const nowMs = Math.floor(clock.now());
      // The cursor moves only once the server has said that it has it.
      await db.write((tx) => writeTaken(tx, to, after, { root: mirrored.root, tip, nowMs }));
      arrivals.note(to, mirrored);
      // It is there, and cannot be taken back; the key is looked at again before the next.
      if (signature !== "valid")
        throw mirrorError("MIRROR_KEY_TAKEN", `The signature of ${tip.id} counts as ${word(signature)}.`);
      return true;
    },
  };
}

/** Checkpoints come as soon as all that they cover is there. */
function nextReader({ db, signer, checkpoints }: HandOverPorts) {
  let ahead: Commit[] = [];

  async function commitFrom(position: number): Promise<Commit | undefined> {
    if (ahead[0]?.position !== position)
      ahead = await commitsWhere(
        db,
        "position >= ? ORDER BY position LIMIT CAST(? AS BIGINT)",
        position,
        BATCH,
      );
    return ahead.shift();
  }

  return async (to: MirrorTarget, cursor: MirrorCursor): Promise<Next | undefined> => {
    const [checkpoint] = await checkpoints.from(db, cursor.checkpointSize, { limit: 1 });
    if (checkpoint && checkpoint.tree_size <= cursor.next) {
      const tip = await readTip(db, to, CHECKPOINT_CHAIN);
      const mirrored = mirroredCheckpoint(signer, to.agentId, checkpoint, tip);
      return { mirrored, after: { ...cursor, checkpointSize: checkpoint.tree_size } };
    }
    const commit = await commitFrom(cursor.next);
    if (!commit) return undefined;
    const parent = commit.parent === null ? undefined : await commitAt(db, commit.parent);
    const tip = commit.parent === null ? undefined : await readTip(db, to, commit.root);
    const mirrored = mirroredAct(signer, to.agentId, commit, parent, tip);
    return { mirrored, after: { ...cursor, next: commit.position + 1 } };
  };
}

/**
 * What may have arrived although its answer did not. The server answers a repeated request with the commit it made, but
 * only for a day: after that it would make a second one, so it is asked what it has.
 */
function createArrivals({ clock, calls }: HandOverPorts) {
  /** Where the one before was answered, to this process: the next was never sent there. */
  const answered = new Set<string>();

  return {
    /** The server's record of it from before, where a repeated request could not be told from a new one. */
    async earlier(to: MirrorTarget, mirrored: MirroredCommit): Promise<JsonObject | undefined> {
      const isNew = answered.delete(sequenceOf(to, mirrored));
      if (isNew || clock.now() - mirrored.madeMs < REPEATABLE_MS) return undefined;
      for await (const passport of newestOf(calls, to.agentId, mirrored.trace))
        if (isAcknowledgement(mirrored, passport)) return passport;
      return undefined;
    },
    note: (to: MirrorTarget, mirrored: MirroredCommit) => void answered.add(sequenceOf(to, mirrored)),
  };
}

/** Acts come one after another at a server, and so do checkpoints. */
const sequenceOf = ({ url, agentId }: MirrorTarget, { root }: MirroredCommit): string =>
  JSON.stringify([url, agentId, root === CHECKPOINT_CHAIN ? "checkpoints" : "acts"]);

/** What an agent committed to a trace over there, newest first. */
async function* newestOf(calls: ServerCalls, agentId: string, traceId: string): AsyncGenerator<JsonObject> {
  const query = new URLSearchParams({ agentId, traceId, limit: "1" });
  for (let looked = 0; looked < LOOKED_AT; looked++) {
    const { results, nextCursor } = await calls.get(`/api/search?${query}`);
    if (Array.isArray(results)) yield* results.filter((result) => isJsonObject(result));
    if (typeof nextCursor !== "string" || nextCursor.length > CURSOR_CHARACTERS_MAX) return;
    query.set("cursor", nextCursor);
  }
}

const word = (text: string) => (/^[a-z_]{1,40}$/.test(text) ? text : "unknown");
