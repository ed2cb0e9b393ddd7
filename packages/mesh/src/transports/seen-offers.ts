/** Offers remembered of each peer: far more than it may send while an old one could still be of use to anybody. */
const OFFERS_MAX = 256;
const PEERS_MAX = 1000;

/**
 * Which offers were answered once. An offer says neither when it was made nor for whom, so that whoever saw one could
 * bring it again and again. Only verified offers are remembered, each peer's apart: nobody pushes out another's.
 */
export interface SeenOffers {
  has(agentId: string, hash: string): boolean;
  remember(agentId: string, hash: string): void;
}

export function createSeenOffers(): SeenOffers {
  const seen = new Map<string, Set<string>>();
  return {
    has: (agentId, hash) => seen.get(agentId)?.has(hash) === true,

    remember(agentId, hash) {
      const hashes = seen.get(agentId) ?? new Set();
      // Taken out and put in again, so that the first is the one longest silent.
      seen.delete(agentId);
      seen.set(agentId, hashes);
      hashes.add(hash);
      dropBeyond(hashes, OFFERS_MAX);
      dropBeyond(seen, PEERS_MAX);
    },
  };
}

function dropBeyond<Key>(
  keys: { readonly size: number; keys(): Iterable<Key>; delete(key: Key): boolean },
  max: number,
) {
  for (const oldest of keys.keys()) {
    if (keys.size <= max) return;
    keys.delete(oldest);
  }
}
