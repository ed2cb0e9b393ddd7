import { reasonOf } from "@darkmatter/core";
import type { Report } from "../ports.ts";
import { importDefault } from "./adapters/handler-module.ts";
import type { PoolHandler } from "./handler.ts";
import type { Handlers } from "./handlers.ts";
import type { Pool } from "./pool.ts";

/** Handlers that the owner brings: a module whose default export is one, or a list of them. */
export interface OwnHandlers {
  /** Loads a pool's module when it is first called, and registers what it exports. A bad one is reported. */
  load(pool: Pool): Promise<void>;
}

export function createOwnHandlers(
  handlers: Handlers,
  report: Report,
  load: (path: string) => Promise<unknown> = importDefault,
): OwnHandlers {
  const loaded = new Map<string, Promise<void>>();

  async function register(path: string): Promise<void> {
    try {
      const exported = await load(path);
      const all = Array.isArray(exported) ? exported : [exported];
      if (!all.every(isHandler)) throw new TypeError("its default export is no pool handler");
      for (const handler of all) handlers.registerHandler(handler);
    } catch (error) {
      report("pool.handler-module", { reason: reasonOf(error) });
    }
  }

  return {
    async load({ handlerModule, handlerType }) {
      if (handlerModule === null || handlers.getHandler(handlerType)) return;
      const loading = loaded.get(handlerModule) ?? register(handlerModule);
      loaded.set(handlerModule, loading);
      await loading;
    },
  };
}

function isHandler(value: unknown): value is PoolHandler {
  return (
    typeof value === "object" &&
    value !== null &&
    "handlerType" in value &&
    typeof value.handlerType === "string" &&
    "proxy" in value &&
    typeof value.proxy === "function"
  );
}
