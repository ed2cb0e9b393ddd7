import type { Read } from "@darkmatter/store";
import type { Connection } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { Impressions } from "../impressions/impressions.ts";
import type { Connectivity } from "../transports/connectivity.ts";
import { fromBase58 } from "../wallets/base58.ts";
import type { Candidate } from "./veterans.ts";

/** Peers that failed so often in a row count as away. */
const FAILURES_MAX = 3;
const ADDRESS_BYTES = 32;

/** A connected agent that can be paid. */
export interface Neighbour extends Candidate {
  readonly peer: Connection;
}

export const isWallet = (text: string): boolean => fromBase58(text, ADDRESS_BYTES) !== undefined;

/** The Solana address a peer told, if it is one. */
export function walletOf({ wallets }: Pick<Connection, "wallets">): string | undefined {
  const { solana } = wallets;
  return solana !== undefined && isWallet(solana) ? solana : undefined;
}

/** Who plays, and who may decide or win: connected agents with a wallet that have not had the signal (mesh.md 13). */
export async function neighbours(
  tx: Read,
  path: readonly string[],
  {
    connections,
    impressions,
    connectivity,
  }: {
    readonly connections: Connections;
    readonly impressions: Impressions;
    readonly connectivity: Connectivity;
  },
): Promise<{ readonly players: readonly Neighbour[]; readonly candidates: readonly Neighbour[] }> {
  const scores = new Map((await impressions.all(tx)).map(({ about, score }) => [about, score]));
  const players = (await connections.all(tx)).flatMap((peer): Neighbour[] => {
    const wallet = walletOf(peer);
    if (wallet === undefined || path.includes(peer.agentId)) return [];
    const { agentId, peerCreatedAt: createdAt } = peer;
    return [{ peer, agentId, createdAt, wallet, score: scores.get(agentId) ?? 0 }];
  });
  const isThere = ({ agentId }: Neighbour) => connectivity.of(agentId).healthFailures < FAILURES_MAX;
  return { players, candidates: players.filter(isThere) };
}
