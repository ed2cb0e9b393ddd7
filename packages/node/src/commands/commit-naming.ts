import { hasCode, type JsonObject } from "@darkmatter/core";
import type { Commit, CommitPayload } from "@darkmatter/ledger";
import { nodeError } from "../errors.ts";
import { brief, shortId } from "./context.ts";
import type { LedgerLook } from "./ledger-look.ts";

/** A number of the list that `recent` shows. Longer ones may be the beginning of a hash. */
const INDEX = /^[1-9]\d{0,5}$/;

/** Whether a name is a number of that list, whatever else is called so: senders choose the ids of their messages. */
export const isListNumber = (wanted: string): boolean => INDEX.test(wanted);

/**
 * The commit a person means: by its number in `recent` (1 is the newest), its id or hash or the beginning of one, or
 * as the latest about a message or an agent. @throws COMMIT_UNKNOWN, AMBIGUOUS_COMMIT
 */
export async function commitNamed(look: LedgerLook, wanted: string): Promise<Commit> {
  if (isListNumber(wanted)) return commitNumbered(look, Number(wanted));
  try {
    return await look.ledger.commits.find(look.db, wanted);
  } catch (error) {
    if (!hasCode(error, "NO_SUCH_COMMIT")) throw error;
    throw nodeError(
      "COMMIT_UNKNOWN",
      `"${wanted}" is in this agent's ledger neither as a commit nor as a message.`,
    );
  }
}

async function commitNumbered({ db, ledger }: LedgerLook, index: number): Promise<Commit> {
  const [newest] = await ledger.commits.recent(db, 1);
  const size = (newest?.position ?? -1) + 1;
  const [commit] = index > size ? [] : await ledger.commits.recent(db, 1, size - index + 1);
  if (commit) return commit;
  throw nodeError("COMMIT_UNKNOWN", `There is no commit number ${index}: this agent's ledger holds ${size}.`);
}

/** What a program is told of a commit; `payload` is null where it cannot be read. */
export function commitJson(commit: Commit, payload: CommitPayload | null): JsonObject {
  return {
    commit: commit.id,
    hash: commit.integrityHash,
    position: commit.position,
    at: new Date(commit.acceptedMs).toISOString(),
    trace: commit.trace,
    act: payload?.act ?? null,
    peer: payload?.peer ?? null,
    ...(payload?.message_id !== undefined && { message_id: payload.message_id }),
    ...(payload?.peer_commit !== undefined && { peer_commit: payload.peer_commit }),
    ...(payload?.delegate !== undefined && { delegate: payload.delegate.public_key }),
  };
}

/** What a person is told of it: `message.sent        4a9c0e11aa22`. */
export function actText(payload: CommitPayload | null): string {
  if (payload === null) return "(cannot be read)".padEnd(32);
  const peer = payload.peer === null ? "-" : shortId(payload.peer);
  // Somebody else's hand: a helper that the agent let act in its place.
  const by = payload.delegate === undefined ? "" : "  by a helper";
  return `${brief(payload.act, 24).padEnd(18)}  ${peer.padEnd(12)}${by}`;
}
