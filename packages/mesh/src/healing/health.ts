import { MINUTE_MS, parseTime } from "@darkmatter/core";
import { type Connection, endpoint, shortId } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { PeerUrls } from "../connections/peer-urls.ts";
import { inParallel, PARALLEL_CALLS_MAX, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Connectivity } from "../transports/connectivity.ts";
import type { Lookups } from "./lookups.ts";

/** Looking after connections nobody heard of (mesh.md 9.2). A connection is never removed for being down. */
export interface Health {
  /** One round. */
  run(): Promise<void>;
}

export const HEALTH_PERIOD_MS = MINUTE_MS;
/** A peer heard of within this is left alone. */
const IDLE_MS = 5 * MINUTE_MS;
/** Failures in a row at which it is said, and at every multiple of which the peer is looked for. */
const SEEK_EVERY = 3;
/** From so many on a peer is looked at, and for, only every tenth round. */
const DORMANT_FROM = 9;
const DORMANT_ROUNDS = 10;

export function createHealth(
  { db, clock, report }: Pick<MeshPorts, "db" | "clock" | "report">,
  connections: Connections,
  connectivity: Connectivity,
  peers: Peers,
  urls: PeerUrls,
  lookups: Lookups,
  hasChannel: (agentId: string) => boolean,
): Health {
  let round = 0;

  function isQuiet(peer: Connection): boolean {
    const active = peer.lastActivity === null ? undefined : parseTime(peer.lastActivity);
    const last = Math.max(active ?? 0, connectivity.of(peer.agentId).heardAtMs ?? 0);
    return clock.now() - last >= IDLE_MS;
  }

  function isDue(peer: Connection): boolean {
    const { healthFailures } = connectivity.of(peer.agentId);
    return isQuiet(peer) && (healthFailures < DORMANT_FROM || round % DORMANT_ROUNDS === 0);
  }

  /** Only the peer's own answer counts: another agent may have its port by now. */
  async function answersAt(base: string, peer: Connection): Promise<boolean> {
    const call = { url: endpoint(base, "status"), timeoutMs: TIMEOUT_MS.domain, reach: "private" } as const;
    const answer = await peers.get(call).catch(() => undefined);
    return answer?.status === 200 && answer.body.agent_id === peer.agentId;
  }

  async function probe(peer: Connection): Promise<void> {
    // Its other end is kept alive by the peer itself, whatever its addresses do.
    if (hasChannel(peer.agentId)) return connectivity.heard(peer.agentId);
    for (const base of urls.of(peer)) {
      if (!(await answersAt(base, peer))) continue;
      urls.worked(peer.agentId, base);
      connectivity.heard(peer.agentId);
      return;
    }
    const failures = connectivity.failed(peer.agentId);
    if (failures === SEEK_EVERY) report("peer.silent", { peer: shortId(peer.agentId), failures });
    if (failures % SEEK_EVERY === 0 || failures > DORMANT_FROM) lookups.seekSoon(peer.agentId);
  }

  return {
    async run() {
      round++;
      const due = (await connections.all(db)).filter(isDue);
      await inParallel(due, PARALLEL_CALLS_MAX, probe);
    },
  };
}
