import type { Read, Write } from "@darkmatter/store";
import { createWindowLimiter, UNLIMITED } from "@darkmatter/surface";
import { setConnectionRate } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import { readSetting, type SettingName, writeSetting } from "../identity/identity.store.ts";
import type { MeshPorts } from "../ports.ts";

/** How many requests a minute are taken, over all and from each connection (mesh.md 4). 0 default, -1 unlimited. */
export interface Limits {
  /** Counts a request against the global limit. Throws TOO_MANY, and then does not count it. */
  takeGlobal(): void;
  /** The limit that one more message of a connection would exceed; `undefined` when there is room. Counts nothing. */
  exceededBy(agentId: string, rateLimit: number): number | undefined;
  /** Counts a message of a connection with its own limit; `undefined`, or the limit that it exceeds. */
  takeConnection(agentId: string, rateLimit: number): number | undefined;
  /** How many messages a minute a connection may bring; `undefined` without limit. */
  perMinute(rateLimit: number): number | undefined;
  /** Takes back the last message counted for a connection: it was a repeat. */
  giveBack(agentId: string): void;
  setGlobal(tx: Write, limit: number): Promise<void>;
  /** The default for connections that have no limit of their own. */
  setConnectionDefault(tx: Write, limit: number): Promise<void>;
  /** Throws NOT_CONNECTED. */
  setConnection(tx: Write, agentId: string, limit: number): Promise<void>;
  /** The limit in force for a setting, for people: `30/min` or `unlimited`. */
  effective(scope: "global" | "connection", limit: number): string;
  /** What was set for the whole node; 0 when nothing was. */
  global(): number;
  load(tx: Read): Promise<void>;
}

export function createLimits({ clock, config }: MeshPorts): Limits {
  const limiter = createWindowLimiter({ clock });
  const set = { global: 0, connection: 0 };

  const inForce = (scope: keyof typeof set, own: number): number => {
    const fallback = set[scope] || (scope === "global" ? config.rateGlobal : config.ratePerConnection);
    const limit = own === 0 ? fallback : own;
    // State files of old may hold any negative number.
    return limit < 0 ? UNLIMITED : limit;
  };

  async function save(tx: Write, scope: keyof typeof set, name: SettingName, limit: number) {
    await writeSetting(tx, name, limit === 0 ? undefined : String(limit));
    tx.afterCommit(() => {
      set[scope] = limit;
    });
  }

  return {
    global: () => set.global,

    takeGlobal() {
      const limit = inForce("global", 0);
      if (!limiter.take("*", limit))
        throw meshError("TOO_MANY", `Rate limit exceeded (${limit} requests per 60s)`);
    },

    exceededBy(agentId, rateLimit) {
      const limit = inForce("connection", rateLimit);
      return limiter.hasRoom(agentId, limit) ? undefined : limit;
    },

    takeConnection(agentId, rateLimit) {
      const limit = inForce("connection", rateLimit);
      return limiter.take(agentId, limit) ? undefined : limit;
    },

    perMinute(rateLimit) {
      const limit = inForce("connection", rateLimit);
      return limit < 0 ? undefined : limit;
    },

    giveBack: (agentId) => limiter.giveBack(agentId),
    setGlobal: (tx, limit) => save(tx, "global", "rate_limit_global", limit),
    setConnectionDefault: (tx, limit) => save(tx, "connection", "rate_limit_connection", limit),

    async setConnection(tx, agentId, limit) {
      if (!(await setConnectionRate(tx, agentId, limit))) {
        throw meshError("NOT_CONNECTED", `Not connected to agent '${agentId.slice(0, 64)}'.`);
      }
    },

    effective(scope, own) {
      const limit = inForce(scope, own);
      return limit < 0 ? "unlimited" : `${limit}/min`;
    },

    async load(tx) {
      set.global = Number((await readSetting(tx, "rate_limit_global")) ?? 0);
      set.connection = Number((await readSetting(tx, "rate_limit_connection")) ?? 0);
    },
  };
}
