import { type Clock, DAY_MS, HOUR_MS } from "@darkmatter/core";
import { createWindowLimiter, type Guard, type RouteRequest, refusal } from "@darkmatter/surface";

/** Registrations a minute from one address (mesh.md 5.8). */
export const REGISTRATIONS_A_MINUTE = 10;
/** What one address may leave for others a minute, over all kinds. */
export const POSTS_A_MINUTE = 200;
/** Polls a minute of one address: many agents behind one router, four kinds each, every 2 s at most. */
export const POLLS_A_MINUTE = 2_000;

/** Bytes one address may leave an hour, which is as long as any is held: nobody fills an anchor alone. */
export const LEFT_BYTES_MAX = 32 * 1024 * 1024;
/** Agents not known before that one address may register a day. */
export const NEWCOMERS_A_DAY = 500;
const WATCHED_CALLERS_MAX = 10_000;

/** How much of something each caller may have of a period; the next one begins with the first use after it. */
export interface Shares {
  /** Whether there is room for that much more; then it is taken. */
  take(caller: string, amount: number): boolean;
}

export function newcomers(clock: Clock): Shares {
  return createShares(clock, DAY_MS, NEWCOMERS_A_DAY);
}

function createShares(clock: Clock, periodMs: number, max: number): Shares {
  const used = new Map<string, { readonly sinceMs: number; amount: number }>();
  return {
    take(caller, amount) {
      const nowMs = clock.monotonic();
      let share = used.get(caller);
      if (!share || nowMs - share.sinceMs >= periodMs) {
        share = { sinceMs: nowMs, amount: 0 };
        // Put in anew, so that the first is the one whose period began longest ago.
        used.delete(caller);
        used.set(caller, share);
        for (const oldest of used.keys()) if (used.size > WATCHED_CALLERS_MAX) used.delete(oldest);
      }
      if (share.amount + amount > max) return false;
      share.amount += amount;
      return true;
    },
  };
}

/** Refuses with 429 who leaves more than its share. */
export function shareLimit(clock: Clock, trustProxy: boolean): Guard {
  const shares = createShares(clock, HOUR_MS, LEFT_BYTES_MAX);
  return (request) =>
    shares.take(callerOf(request, trustProxy), request.body.length)
      ? undefined
      : refusal(429, "Rate limit exceeded");
}

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
  const address = bareAddress(forwarded || remote.address);
  return address.includes(":") ? network(address) : address;
}

/** Some proxies add the port the caller used: a new one each time. */
function bareAddress(said: string): string {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(said)?.[1] ?? said.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
  return bare.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
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
