import { type Clock, type JsonObject, type Random, SECOND_MS, toHex } from "@darkmatter/core";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import { drawPick, isCommitment, isCommitted, pickWithin, playersIn, type SecretPick } from "./picks.ts";

/** How long a game may take from commitment to reveal. */
export const SESSION_LIFETIME_MS = 10 * SECOND_MS;
/** Open games over all, and of one address: whoever begins games and never ends them takes up only its own. */
export const SESSIONS_MAX = 1000;
export const SESSIONS_PER_CALLER_MAX = 100;
const TOKEN_BYTES = 16;

interface Session {
  readonly own: SecretPick;
  readonly n: number;
  readonly theirs: string;
  readonly caller: string;
  readonly endsAtMs: number;
}

/** Our side of other holders' games: pick, commit, and reveal once the holder showed what it was bound to. */
export interface Sessions {
  /** Answers a body of `antimatter_match`. `caller`: whose games count together. Throws BAD_REQUEST or TOO_MANY. */
  answer(body: Body, caller: string): JsonObject;
}

export function createSessions({
  clock,
  random,
}: {
  clock: Pick<Clock, "monotonic">;
  random: Random;
}): Sessions {
  /** In the order they were begun, which is the order they end in. */
  const open = new Map<string, Session>();
  const perCaller = new Map<string, number>();

  function end(token: string, session: Session): void {
    open.delete(token);
    const left = (perCaller.get(session.caller) ?? 1) - 1;
    if (left > 0) perCaller.set(session.caller, left);
    else perCaller.delete(session.caller);
  }

  function forgetEnded(): void {
    for (const [token, session] of open) {
      if (session.endsAtMs >= clock.monotonic()) return;
      end(token, session);
    }
  }

  function commit(body: Body, caller: string): JsonObject {
    const n = requirePlayers(body);
    const { orchestrator_commitment: theirs } = body;
    if (!isCommitment(theirs)) throw meshError("BAD_REQUEST", "Missing or invalid orchestrator_commitment");
    forgetEnded();
    const begun = perCaller.get(caller) ?? 0;
    if (open.size >= SESSIONS_MAX || begun >= SESSIONS_PER_CALLER_MAX) {
      throw meshError("TOO_MANY", "Too many open match sessions");
    }
    const own = drawPick(n, random);
    const token = toHex(random.bytes(TOKEN_BYTES));
    open.set(token, { own, n, theirs, caller, endsAtMs: clock.monotonic() + SESSION_LIFETIME_MS });
    perCaller.set(caller, begun + 1);
    return { peer_commitment: own.commitment, session_token: token };
  }

  function reveal(body: Body): JsonObject {
    forgetEnded();
    const { session_token: token, orchestrator_pick: pick, orchestrator_nonce: nonce } = body;
    const session = typeof token === "string" ? open.get(token) : undefined;
    if (typeof token !== "string" || !session) throw meshError("BAD_REQUEST", "Unknown or expired session");
    // Whatever it brings: a second try would let its holder choose by what it heard at the first.
    end(token, session);
    if (pick === undefined || pick === null || nonce === undefined || nonce === null) {
      throw meshError("BAD_REQUEST", "Missing orchestrator reveal data");
    }
    const within = pickWithin(pick, session.n);
    if (within === undefined || !isCommitted(session.theirs, pick, nonce)) {
      throw meshError("BAD_REQUEST", "Orchestrator commitment verification failed");
    }
    return { peer_pick: session.own.pick, peer_nonce: session.own.nonceHex };
  }

  return {
    answer(body, caller) {
      const { phase } = body;
      if (phase === undefined || phase === null) return { pick: random.integer(requirePlayers(body) + 1) };
      if (phase === "commit") return commit(body, caller);
      if (phase === "reveal") return reveal(body);
      throw meshError("BAD_REQUEST", "Unknown phase: it must be commit or reveal.");
    },
  };
}

function requirePlayers(body: Body): number {
  const n = playersIn(body.n);
  if (n === undefined) throw meshError("BAD_REQUEST", "Invalid n");
  return n;
}
