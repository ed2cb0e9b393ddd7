import type { JsonObject, Random } from "@darkmatter/core";
import { inParallel, PARALLEL_CALLS_MAX } from "../peers.ts";
import { drawPick, isCommitment, isCommitted, pickWithin, type SecretPick } from "./picks.ts";

/** Asks a peer at its `antimatter_match`; its answer, or `undefined` for a peer that refused, failed or fell silent. */
export type Ask<P> = (player: P, body: JsonObject) => Promise<JsonObject | undefined>;

export interface GameResult<P> {
  /** `nobody`: no peer bound itself to a pick. */
  readonly outcome: "match" | "no_match" | "nobody";
  /** Who revealed something else than it was bound to. */
  readonly liars: readonly P[];
}

/** A peer that picked without seeing our pick: bound to it, or (old nodes) telling it at once. */
type Entry<P> =
  | { readonly player: P; readonly commitment: string; readonly token: string }
  | { readonly player: P; readonly pick: number };

/** What a token of a peer may hold. */
const TOKEN = /^[\x21-\x7e]{1,128}$/;

/**
 * The match game as its holder plays it (mesh.md 13): all commit to a number from 0 to n, the number of players, before
 * anybody reveals. It is a match when any peer picked what we picked: 1−(n/(n+1))^n when all are honest. A peer that
 * fails, picks outside or breaks its commitment has no say.
 */
export async function playGame<P>(
  signalId: string,
  players: readonly P[],
  ask: Ask<P>,
  random: Random,
): Promise<GameResult<P>> {
  const n = players.length;
  if (n === 0) return { outcome: "nobody", liars: [] };
  const own = drawPick(n, random);
  const entries = (await inParallel(players, PARALLEL_CALLS_MAX, (player) => enter(player))).filter(
    (entry) => entry !== undefined,
  );
  if (entries.length === 0) return { outcome: "nobody", liars: [] };
  const revealed = await inParallel(entries, PARALLEL_CALLS_MAX, (entry) => reveal(entry, own, n, ask));
  const isMatch = revealed.some(({ pick }) => pick === own.pick);
  const liars = revealed.filter(({ lied }) => lied).map(({ player }) => player);
  return { outcome: isMatch ? "match" : "no_match", liars };

  async function enter(player: P): Promise<Entry<P> | undefined> {
    const { commitment } = own;
    const body = { phase: "commit", signal_id: signalId, n, orchestrator_commitment: commitment };
    const answer = await ask(player, body);
    if (!answer) return undefined;
    const { peer_commitment: bound, session_token: token } = answer;
    if (isCommitment(bound) && typeof token === "string" && TOKEN.test(token)) {
      return { player, commitment: bound, token };
    }
    // Nodes without phases read only `n`, and have not seen our pick either.
    const pick = pickWithin(answer.pick, n);
    return pick === undefined ? undefined : { player, pick };
  }
}

interface Revealed<P> {
  readonly player: P;
  readonly pick: number | undefined;
  readonly lied: boolean;
}

async function reveal<P>(entry: Entry<P>, own: SecretPick, n: number, ask: Ask<P>): Promise<Revealed<P>> {
  const { player } = entry;
  if ("pick" in entry) return { player, pick: entry.pick, lied: false };
  const answer = await ask(player, {
    phase: "reveal",
    session_token: entry.token,
    orchestrator_pick: own.pick,
    orchestrator_nonce: own.nonceHex,
  });
  if (!answer) return { player, pick: undefined, lied: false };
  const { peer_pick: told, peer_nonce: nonce } = answer;
  if (!isCommitted(entry.commitment, told, nonce)) return { player, pick: undefined, lied: true };
  return { player, pick: pickWithin(told, n), lied: false };
}
