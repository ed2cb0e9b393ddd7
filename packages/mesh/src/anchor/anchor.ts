import { type Clock, MINUTE_MS, type Random, toHex } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import { type Database, migrate } from "@darkmatter/store";
import type { Job, Route } from "@darkmatter/surface";
import { anchorRoutes } from "./anchor.routes.ts";
import { anchorMigrations, birthName } from "./anchor.store.ts";
import { createBuffers } from "./buffers.ts";

/** What an anchor stands on. Its database holds nothing else. */
export interface AnchorPorts {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly verifier: Verifier;
  readonly config: {
    /** Count callers by `X-Forwarded-For`: only behind a proxy that sets it. */
    readonly trustProxy: boolean;
  };
}

/** A server that keeps agents' addresses, and holds what others leave for those nobody can reach (mesh.md 5.8). */
export interface Anchor {
  readonly routes: readonly Route[];
  readonly jobs: readonly Job[];
  /** Paths whose POSTs come from programs, not pages: exempt them where a site checks for forged form posts. */
  readonly exempt: readonly string[];
  /** Makes the tables. Routes answer 503 before. */
  start(): Promise<void>;
  stop(): void;
}

export function createAnchor({ db, clock, random, verifier, config }: AnchorPorts): Anchor {
  let birth = "";
  let isReady = false;
  const buffers = createBuffers({ db, clock, verifier }, () => birth);
  const { trustProxy } = config;
  const routes = anchorRoutes({ db, clock, verifier, buffers, trustProxy, isReady: () => isReady });
  return {
    routes,
    jobs: [{ name: "anchor.prune", periodMs: MINUTE_MS, run: () => buffers.prune() }],
    exempt: routes.filter(({ method }) => method === "POST").map(({ path }) => path),

    async start() {
      await migrate(db, anchorMigrations);
      const fresh = toHex(random.bytes(8));
      birth = await db.write((tx) => birthName(tx, fresh));
      await buffers.prune();
      isReady = true;
    },

    stop() {
      isReady = false;
    },
  };
}
