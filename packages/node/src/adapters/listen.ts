import { hasCode } from "@darkmatter/core";
import type { Handler } from "@darkmatter/net";
import { type HttpServer, serveHttp } from "@darkmatter/surface";
import { DEFAULT_PORT, FALLBACK_PORTS } from "../config.ts";
import { nodeError } from "../errors.ts";

export interface ListenOptions {
  readonly handler: Handler;
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Where this agent listened last: peers know it by that address. 0 when it never did. */
  readonly before: number;
  readonly maxBodyBytes: number;
  readonly onError: (error: unknown) => void;
  /** Where to go when the port is somebody else's; the default port and those after it. */
  readonly ways?: readonly number[];
}

const WAYS_OUT = Array.from({ length: FALLBACK_PORTS }, (_, at) => DEFAULT_PORT + at);

/**
 * Listens where this agent listened before, if it may choose; else where it is told to; else, where somebody else has
 * that port, at the first free one from the default on. It cannot be our own: the lock sees to that.
 */
export async function listen({ port, before, ways, ...options }: ListenOptions): Promise<HttpServer> {
  for (const candidate of candidates(port, before, ways)) {
    try {
      return await serveHttp({ ...options, port: candidate });
    } catch (error) {
      if (!hasCode(error, "PORT_TAKEN")) throw error;
    }
  }
  throw nodeError("PORTS_BUSY", `These ports are all in use: ${candidates(port, before, ways).join(", ")}.`);
}

/** In the order tried, each once. */
export function candidates(port: number, before: number, ways: readonly number[] = WAYS_OUT): number[] {
  // A port that was a way out last time is kept: moving back would lose the peers who learned it.
  const mayStay = before > 0 && (port === 0 || (port === DEFAULT_PORT && ways.includes(before)));
  return [...new Set([...(mayStay ? [before] : []), port, ...(port === 0 ? [] : ways)])];
}
