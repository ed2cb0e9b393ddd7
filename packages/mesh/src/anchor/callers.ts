import type { Clock } from "@darkmatter/core";
import { createWindowLimiter, type Guard, type RouteRequest, refusal } from "@darkmatter/surface";

/** Registrations a minute from one address (mesh.md 5.8). */
export const REGISTRATIONS_A_MINUTE = 10;
/** What one address may leave for others a minute, over all kinds. */
export const POSTS_A_MINUTE = 200;
/** Polls a minute of one address: many agents behind one router, four kinds each, every 2 s at most. */
export const POLLS_A_MINUTE = 2_000;

/** Refuses with 429 whoever asks too often. Refused requests are not counted. */
export function callerLimit(clock: Clock, limit: number, trustProxy: boolean): Guard {
  const limiter = createWindowLimiter({ clock });
  return (request) =>
    limiter.take(callerOf(request, trustProxy), limit) ? undefined : refusal(429, "Rate limit exceeded");
}

/**
 * Who asks, for counting. Behind a proxy that is the last address in `X-Forwarded-For`, the one the proxy itself put
 * there; anything before it, and the header where no proxy stands, is what the caller says. An IPv6 network of one
 * subscriber (/64) is one caller.
 */
export function callerOf(
  { remote, headers }: Pick<RouteRequest, "remote" | "headers">,
  trustProxy: boolean,
): string {
  const forwarded = trustProxy ? headers["x-forwarded-for"]?.split(",").at(-1)?.trim() : undefined;
  const address = (forwarded || remote.address).toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  return address.includes(":") ? network(address) : address;
}

/** The first four groups of an IPv6 address. */
function network(address: string): string {
  const [head = "", tail] = address.replace(/%.*$/, "").split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
