import { addressClass, bareHost, isAddressLiteral } from "./addresses.ts";
import { netError } from "./errors.ts";
import { validateUrl } from "./urls.ts";
import type { Reach } from "./wire.ts";

/** Whether a request of this reach may connect to an address. */
export function mayReach(address: string, reach: Reach): boolean {
  const kind = addressClass(address);
  return kind === "public" || (reach === "private" && kind !== "forbidden");
}

/**
 * The addresses of a host that may be connected to. To be asked at connection time with what was resolved, and no
 * other address may be used then. A host with none is refused. @throws ADDRESS_REFUSED
 */
export function reachableAddresses(addresses: readonly string[], reach: Reach): readonly string[] {
  const reachable = addresses.filter((address) => mayReach(address, reach));
  if (reachable.length === 0) throw netError("ADDRESS_REFUSED");
  return reachable;
}

/**
 * The parsed URL of a request that may begin: well-formed and, when its host is written as an address, within reach
 * (no resolver is asked about those). @throws ADDRESS_REFUSED
 */
export function admitUrl(url: string, reach: Reach): URL {
  const problem = validateUrl(url);
  if (problem !== undefined) throw netError("ADDRESS_REFUSED", problem);
  const parsed = new URL(url);
  const host = bareHost(parsed.hostname);
  if (isAddressLiteral(host)) reachableAddresses([host], reach);
  return parsed;
}
