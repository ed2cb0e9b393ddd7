import type { Background } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transports } from "../transports/transport.ts";
import { createBalances } from "./balances.ts";
import { type Buying, createBuying, type PoolCredit } from "./buying.ts";
import { type Consuming, createConsuming } from "./consuming.ts";
import { createHandlers } from "./handlers.ts";
import { createOwnHandlers } from "./own-handlers.ts";
import { createPools, type PoolSharing, type Pools } from "./pools.ts";
import { createProxy, type PoolProxy } from "./proxy.ts";

/** All that a node does with pools: its own, and those of others. */
export interface PoolServices {
  readonly pools: Pools;
  readonly buying: Buying;
  readonly proxy: PoolProxy;
  readonly consuming: Consuming;
}

export function createPoolServices(
  ports: MeshPorts,
  services: {
    readonly background: Background;
    readonly connections: Connections;
    readonly transports: Transports;
    readonly shards: PoolSharing;
    readonly credit: PoolCredit;
  },
): PoolServices {
  const { background, connections, transports, shards, credit } = services;
  const handlers = createHandlers();
  const own = createOwnHandlers(handlers, ports.report);
  return {
    pools: createPools(ports, shards, background),
    buying: createBuying(ports, connections, credit),
    proxy: createProxy(ports, {
      balances: createBalances(ports),
      handlers,
      connections,
      loadHandler: (pool) => own.load(pool),
    }),
    consuming: createConsuming(ports, transports),
  };
}
