import type { InboundRequest } from "@darkmatter/net";
import { type Answer, type Guard, refusal } from "./route.ts";

/** Refuses with 503 until the node is ready. */
export function ready(isReady: () => boolean): Guard {
  return () => (isReady() ? undefined : refusal(503, "Node not ready"));
}

export interface LocalOnlyOptions {
  /** Host names besides the loopback ones under which this machine may be addressed, lower case, without port. */
  readonly allowedHosts?: readonly string[];
}

/** Names of this very machine. Another name that resolves to it is how DNS rebinding begins (mesh.md S3). */
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"] as const;

/** A request that carries one of these came through a proxy, so the socket's address is not the caller's. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-server",
  "x-real-ip",
  "x-client-ip",
  "x-original-forwarded-for",
  "cf-connecting-ip",
  "true-client-ip",
] as const;

/** Whether a request came through a proxy: then its socket says nothing about the caller. */
export function isProxied({ headers }: Pick<InboundRequest, "headers">): boolean {
  return PROXY_HEADERS.some((name) => headers[name] !== undefined);
}

/** Lets only this machine's own programs pass; a web page, a proxy or another machine is answered 403. */
export function localOnly(options: LocalOnlyOptions = {}): Guard {
  const hosts = new Set<string>([...LOOPBACK_HOSTS, ...(options.allowedHosts ?? [])]);
  return ({ remote, headers }): Answer | undefined => {
    if (!remote.loopback) return refusal(403, "Only programs on this machine may call this");
    if (isProxied({ headers })) return refusal(403, "Not allowed through a proxy");
    if (!hosts.has(hostName(headers.host ?? ""))) return refusal(403, "Host not allowed");
    const { origin } = headers;
    if (origin !== undefined && !hosts.has(originHostName(origin))) return refusal(403, "Origin not allowed");
    return undefined;
  };
}

const HOST = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** The host of a `Host` header, lower case; empty for anything that is not host and optional port. */
function hostName(header: string): string {
  return HOST.exec(header.toLowerCase())?.[1] ?? "";
}

/** `null`, which sandboxed and file pages send, is nobody's origin. */
function originHostName(origin: string): string {
  const authority = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
  return authority === undefined ? "" : hostName(authority);
}
