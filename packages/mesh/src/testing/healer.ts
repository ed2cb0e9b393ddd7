import type { Clock } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import type { Read } from "@darkmatter/store";
import { endpoint } from "../connections/connection.ts";
import { type Asking, createAsking } from "../healing/asking.ts";
import { createRecovery, type Recovery } from "../healing/recovery.ts";
import { createPeers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { TEST_CONFIG } from "./memory-network.ts";

/** What a node asks others when an agent is not where it was, over plain requests alone. */
export function healer(options: {
  readonly db: Read;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly anchors?: readonly string[];
}): { readonly asking: Asking; readonly recovery: Recovery } {
  const { db, wire, clock, anchors = [] } = options;
  const ports = { db, config: { ...TEST_CONFIG, anchors } } as Pick<MeshPorts, "db" | "config">;
  const peers = createPeers({ wire });
  const asking = createAsking(ports, peers, (peer, path, timeoutMs) =>
    peers.get({ url: endpoint(peer.url, path), timeoutMs, reach: "private" }).catch(() => undefined),
  );
  return { asking, recovery: createRecovery({ clock }, asking) };
}
