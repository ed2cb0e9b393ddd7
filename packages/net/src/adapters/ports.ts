import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { addressClass } from "../addresses.ts";

/** Whether `host:port` can be listened on at this moment. Another process may still take it first. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    // Exclusive: not shared with another worker of the same cluster.
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The first of the candidates that can be listened on, or `undefined` when none can. */
export async function firstFreePort(candidates: Iterable<number>, host: string): Promise<number | undefined> {
  for (const port of candidates) if (await isPortFree(port, host)) return port;
  return undefined;
}

/** This machine's addresses that others may reach, IPv4 before IPv6: neither loopback nor link-local. */
export function lanAddresses(): readonly string[] {
  return reachable().map(({ address }) => address);
}

/** The networks those addresses are in, as `192.168.1.5/24`. */
export function lanNetworks(): readonly string[] {
  return reachable().flatMap(({ cidr }) => (cidr === null ? [] : [cidr]));
}

/** Reading them takes a system call for each interface, and every message asks where its sender is. */
const LOOK_KEPT_MS = 1000;
let look: { readonly atMs: number; readonly found: ReturnType<typeof readInterfaces> } | undefined;

function reachable() {
  const atMs = performance.now();
  if (!look || atMs - look.atMs >= LOOK_KEPT_MS) look = { atMs, found: readInterfaces() };
  return look.found;
}

function readInterfaces() {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return all
    .filter(({ address, internal }) => !internal && ["private", "public"].includes(addressClass(address)))
    .sort((one, other) => one.family.localeCompare(other.family));
}
