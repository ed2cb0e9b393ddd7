import { bareHost, baseUrl, classOfLiteral, isLoopbackUrl, isPrivateHost, parseUrl } from "@darkmatter/net";
import { validateAgentUrl } from "../connections/peer-details.ts";

/** What a peer says of another's whereabouts, and how much its word counts. */
export interface Opinion {
  readonly url: string;
  readonly weight: number;
}

/** Peers asked at once for another (mesh.md 9.3). */
export const ASKED_MAX = 50;
/** The word of a peer we have no impression of. */
const UNSCORED_WEIGHT = 0.5;
/** The least any peer's word counts, however little we think of it. */
const WEIGHT_MIN = 0.1;

export const weightOf = (score: number | undefined) =>
  score === undefined ? UNSCORED_WEIGHT : Math.max(score, WEIGHT_MIN);

/**
 * The base URLs that peers named, the one with the greatest sum of weights first; of equals the one named first.
 * `excluded` are base URLs that are of no use.
 */
export function ranked(opinions: readonly Opinion[], excluded: ReadonlySet<string>): readonly string[] {
  const sums = new Map<string, number>();
  for (const { url, weight } of opinions) {
    const base = baseUrl(url);
    if (!excluded.has(base)) sums.set(base, (sums.get(base) ?? 0) + weight);
  }
  return [...sums].sort(([, one], [, other]) => other - one).map(([url]) => url);
}

/**
 * Whether a URL named by somebody at `teller` may be looked at: a loopback address only where the teller is on this
 * machine too, one of a private network only where the teller is in one. Otherwise any peer, or an anchor, could have
 * us knock at whatever stands beside us.
 */
export function mayBeBelieved(url: string, teller: string): boolean {
  if (validateAgentUrl(url) !== undefined) return false;
  const host = hostOf(url);
  if (classOfLiteral(host) === "forbidden") return false;
  if (isLoopbackUrl(teller)) return true;
  if (isLoopbackUrl(url)) return false;
  return !isPrivateHost(host) || isPrivateHost(hostOf(teller));
}

/** How far a look at a URL may reach that somebody at `teller` named: a name may resolve to anything. */
export function reachFrom(teller: string): "private" | "public" {
  return isPrivateHost(hostOf(teller)) ? "private" : "public";
}

function hostOf(url: string): string {
  const parsed = parseUrl(url);
  return typeof parsed === "string" ? "" : bareHost(parsed.hostname);
}
