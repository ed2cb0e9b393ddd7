import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { addressClass } from "../addresses.ts";

const ROUTES = "/proc/net/route";

/** This machine's private IPv4 addresses: behind one of them may be a router that maps ports. */
export function privateAddresses(): readonly string[] {
  return privateInterfaces().map(({ address }) => address);
}

/** Where the routers of this machine's networks are: as Linux says, elsewhere where routers usually are. */
export function gateways(): readonly string[] {
  const said = routesText();
  const found = said === undefined ? privateInterfaces().map(firstOfNetwork) : defaultGateways(said);
  return [...new Set(found)].filter((address) => addressClass(address) === "private");
}

function privateInterfaces() {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return all.filter(({ family, internal, address }) => {
    return family === "IPv4" && !internal && addressClass(address) === "private";
  });
}

function routesText(): string | undefined {
  try {
    return readFileSync(ROUTES, "utf8");
  } catch {
    // Not Linux.
    return undefined;
  }
}

/** The gateways of default routes in the kernel's table: hexadecimal, in the machine's byte order. */
export function defaultGateways(routes: string): string[] {
  const rows = routes.split("\n").map((row) => row.split("\t"));
  return rows.flatMap(([_interface, destination, gateway = ""]) => {
    if (destination !== "00000000" || !/^[0-9A-F]{8}$/.test(gateway) || gateway === "00000000") return [];
    const bytes = gateway.match(/../g) ?? [];
    return [
      bytes
        .reverse()
        .map((byte) => Number.parseInt(byte, 16))
        .join("."),
    ];
  });
}

function firstOfNetwork({
  address,
  netmask,
}: {
  readonly address: string;
  readonly netmask: string;
}): string {
  const mask = netmask.split(".").map(Number);
  const network = address.split(".").map((part, at) => Number(part) & (mask[at] ?? 0));
  return network.map((part, at) => (at === 3 ? part + 1 : part)).join(".");
}
