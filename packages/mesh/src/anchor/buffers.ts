import {
  type Clock,
  FRESH_WITHIN_MS,
  isFresh,
  isJsonObject,
  type Json,
  parseJson,
  parseTime,
} from "@darkmatter/core";
import { relayPollText, type Verifier } from "@darkmatter/identity";
import type { Database, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import {
  addEntry,
  dropEntries,
  dropExpired,
  forgetPolls,
  heldBytes,
  noteAlive,
  readEntries,
  readRegistration,
  usePoll,
} from "./anchor.store.ts";
import { RELAY_KINDS, RELAYS, type RelayKind } from "./relay-kind.ts";

/** Bytes held for all agents together; beyond it nothing more is taken until some of it went. */
export const HELD_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of entries in one answer; a first entry always fits. The rest comes with the next poll. */
const ANSWER_BYTES_MAX = 512 * 1024;

export interface Poll {
  readonly kind: RelayKind;
  readonly agentId: string;
  readonly signature: string;
  readonly timestamp: string;
  /**
   * What the agent got before, as the last answer named it; empty for nothing yet. `undefined` for a client that does
   * not say: what it is answered is gone.
   */
  readonly after: string | undefined;
}

export interface Drained {
  readonly entries: readonly Json[];
  /** For a client that acknowledges: names what it got. */
  readonly cursor: string | undefined;
}

/** What is held for agents nobody can reach, each kind on its own (mesh.md 5.8). */
export interface Buffers {
  /** @throws NOT_FOUND for an agent nobody could ever hand it to, TOO_MANY when there is no room. */
  put(kind: RelayKind, agentId: string, body: object): Promise<void>;
  /** @throws BAD_REQUEST, FORBIDDEN */
  poll(poll: Poll): Promise<Drained>;
  /** Forgets what is too old, and counts anew what is held. */
  prune(): Promise<void>;
}

const NOTHING: Drained = { entries: [], cursor: undefined };

/** `birth` names this database: a cursor of another one acknowledges nothing. */
export function createBuffers(
  { db, clock, verifier }: { readonly db: Database; readonly clock: Clock; readonly verifier: Verifier },
  birth: () => string,
): Buffers {
  let held = 0;

  /** Which entry a cursor names; 0 for none of this database. */
  function place(cursor: string): number {
    const [name, seq = ""] = cursor.split(".", 2);
    return name === birth() && /^\d{1,15}$/.test(seq) ? Number(seq) : 0;
  }

  async function drain(tx: Write, { kind, agentId, after }: Poll, nowMs: number): Promise<Drained> {
    if (after !== undefined) await dropEntries(tx, agentId, kind, place(after));
    const limits = { nowMs, bytesMax: ANSWER_BYTES_MAX };
    const found = await readEntries(tx, agentId, RELAYS[kind], limits);
    const last = found.at(-1)?.seq ?? (after === undefined ? 0 : place(after));
    if (after === undefined) await dropEntries(tx, agentId, kind, last);
    const entries = found.flatMap(({ body }) => parseJson(body) ?? []).filter(isJsonObject);
    return { entries, cursor: after === undefined ? undefined : `${birth()}.${last}` };
  }

  return {
    async put(kind, agentId, body) {
      const text = JSON.stringify(body);
      const size = Buffer.byteLength(text);
      if (held + size > HELD_BYTES_MAX) throw meshError("TOO_MANY", "This anchor holds all it can");
      await db.write(async (tx) => {
        // Whoever never registered can never ask for it: the sender should know now.
        if (!(await readRegistration(tx, agentId))) throw meshError("NOT_FOUND", "Unknown agent");
        await addEntry(tx, RELAYS[kind], { agentId, body: text, atMs: clock.now() });
        tx.afterCommit(() => {
          held += size;
        });
      });
    },

    async poll(poll) {
      const { kind, agentId, signature, timestamp } = poll;
      if (!signature || !timestamp) throw meshError("BAD_REQUEST", "Missing signature or timestamp");
      const nowMs = clock.now();
      if (!isFresh(timestamp, nowMs)) throw meshError("FORBIDDEN", "Timestamp expired");
      const text = relayPollText({ agentId, timestamp });
      const isSigned = text !== undefined && (await verifier.verify(agentId, text, signature));
      if (!isSigned || !(await readRegistration(db, agentId)))
        throw meshError("FORBIDDEN", "Invalid signature");
      return db.write(async (tx) => {
        // Whoever saw the address of a poll could ask with it again. The first generation asks for several kinds with
        // one signature, so each is good once for each kind.
        const until = (parseTime(timestamp) ?? nowMs) + FRESH_WITHIN_MS;
        if (!(await usePoll(tx, { kind, agentId, timestamp }, until))) return NOTHING;
        await noteAlive(tx, agentId, nowMs);
        return drain(tx, poll, nowMs);
      });
    },

    async prune() {
      const nowMs = clock.now();
      await db.write(async (tx) => {
        for (const kind of RELAY_KINDS) await dropExpired(tx, RELAYS[kind], nowMs);
        await forgetPolls(tx, nowMs);
      });
      held = await heldBytes(db);
    },
  };
}
