import { exceedsCodePoints } from "@darkmatter/core";
import { addressClass, bareHost, isAddressLiteral, isPrivateHost } from "./addresses.ts";

export const URL_CODE_POINTS_MAX = 2048;

const MESH_SUFFIXES = ["/mcp", "/__darkmatter__"];

/** An agent's URL without trailing slashes and then without at most one `/mcp` or `/__darkmatter__` (mesh.md, Terms). */
export function baseUrl(url: string): string {
  let end = url.length;
  while (end > 0 && url[end - 1] === "/") end--;
  const text = url.slice(0, end);
  const suffix = MESH_SUFFIXES.find((one) => text.endsWith(one));
  return suffix ? text.slice(0, -suffix.length) : text;
}

/** Why a URL may not be used, or `undefined` for one that may (mesh.md 4). Stricter than the first generation. */
export function validateUrl(url: string): string | undefined {
  const parsed = parseUrl(url);
  return typeof parsed === "string" ? parsed : undefined;
}

/** The URL parsed, or a sentence that says why it may not be used. */
export function parseUrl(url: string): URL | string {
  if (exceedsCodePoints(url, URL_CODE_POINTS_MAX))
    return `The URL is longer than ${URL_CODE_POINTS_MAX} characters.`;
  // What the parser would drop or bend: it reads `http:\\a` and `ht<tab>tp://a` as `http://a`.
  if (/[\s\\]|\p{Cc}/u.test(url)) return "The URL holds a blank, a control character or a backslash.";
  if (!/^https?:/i.test(url)) return "The URL must begin with http:// or https://.";
  if (!/^https?:\/\/[^/?#]/i.test(url)) return "The URL has no host.";
  const parsed = URL.parse(url);
  if (!parsed?.hostname) return "The URL has no valid host or port.";
  return parsed.username || parsed.password ? "The URL must not hold a user name or a password." : parsed;
}

function hostOf(url: string): string | undefined {
  const parsed = parseUrl(url);
  return typeof parsed === "string" ? undefined : bareHost(parsed.hostname);
}

/** `localhost` or an address that is not public. Another name is never local, whatever it resolves to. */
export function isLocalUrl(url: string): boolean {
  const host = hostOf(url);
  return host !== undefined && (host === "localhost" || (isAddressLiteral(host) && isPrivateHost(host)));
}

/** `localhost` or a loopback address: this very machine. */
export function isLoopbackUrl(url: string): boolean {
  const host = hostOf(url);
  return host !== undefined && (host === "localhost" || addressClass(host) === "loopback");
}

export interface UrlSecurity {
  readonly secure: boolean;
  readonly isLocal: boolean;
  readonly warning: string | null;
}

/** What to tell a user about a peer's URL. */
export function urlSecurity(url: string): UrlSecurity {
  const isLocal = isLocalUrl(url);
  const secure = /^https:/i.test(url);
  if (secure) return { secure, isLocal, warning: null };
  const warning = isLocal
    ? "HTTP on local network (acceptable for development)"
    : `Insecure HTTP connection to ${hostOf(url) ?? "an unknown host"} — traffic is unencrypted`;
  return { secure, isLocal, warning };
}
