import { addressClass } from "./addresses.ts";
import { netError } from "./errors.ts";
import { parseUrl } from "./urls.ts";
import type { Reach } from "./wire.ts";

/** Whether a request of this reach may connect to an address. */
export function mayReach(address: string, reach: Reach): boolean {
  const kind = addressClass(address);
  return kind === "public" || (reach === "private" && kind !== "forbidden");
}

/**
 * The addresses of a host that may be connected to. To be asked at connection time with what was resolved, and no
 * other address may be used then; also for a host that is written as an address. @throws ADDRESS_REFUSED if none
 */
export function reachableAddresses(addresses: readonly string[], reach: Reach): readonly string[] {
  const reachable = addresses.filter((address) => mayReach(address, reach));
  if (reachable.length === 0) throw netError("ADDRESS_REFUSED");
  return reachable;
}

/** The parsed URL of a request that may begin; where it leads is judged at connection time. @throws ADDRESS_REFUSED */
export function admitUrl(url: string): URL {
  const parsed = parseUrl(url);
  if (typeof parsed === "string") throw netError("ADDRESS_REFUSED", parsed);
  return parsed;
}
