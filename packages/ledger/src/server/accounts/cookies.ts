import type { RouteRequest } from "@darkmatter/surface";
import { serverError } from "../errors.ts";
import type { LedgerServerConfig } from "../ports.ts";
import { ACCESS_LIFE_MS, REFRESH_LIFE_MS, type Tokens } from "./tokens.ts";

const ACCESS_COOKIE = "dm_access";
const REFRESH_COOKIE = "dm_refresh";

type Headed = Pick<RouteRequest, "method" | "headers">;
type Site = Pick<LedgerServerConfig, "baseUrl" | "allowedOrigins">;

/** What a browser keeps of a session. Scripts never see it, and other sites' pages cannot send it along with a write. */
export function cookiesOf(
  tokens: Pick<Tokens, "access" | "refresh">,
  { secureCookies }: Pick<LedgerServerConfig, "secureCookies">,
): string[] {
  const cookie = (name: string, value: string, lifeMs: number) =>
    `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${value === "" ? 0 : lifeMs / 1000}${
      secureCookies ? "; Secure" : ""
    }`;
  return [
    cookie(ACCESS_COOKIE, tokens.access, ACCESS_LIFE_MS),
    cookie(REFRESH_COOKIE, tokens.refresh, REFRESH_LIFE_MS),
  ];
}

/** The tokens in a request's cookies. Of a name that comes twice, none: the second is from another place. */
export function cookieTokens({ headers }: Pick<RouteRequest, "headers">) {
  const values = new Map<string, string[]>();
  for (const part of (headers.cookie ?? "").split(";")) {
    const [name = "", value = ""] = part.trim().split("=", 2);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  const only = (name: string) => {
    const [value, ...more] = values.get(name) ?? [];
    return more.length === 0 ? value : undefined;
  };
  return { access: only(ACCESS_COOKIE), refresh: only(REFRESH_COOKIE) };
}

/** What is done by cookies alone is done by one of the server's own pages. @throws cross_site */
export function requireOwnPage({ method, headers }: Headed, { baseUrl }: Site): void {
  if (method === "GET" || method === "HEAD") return;
  if (headers.origin === undefined || headers.origin !== originOf(baseUrl)) throw serverError("cross_site");
}

/** A page of a strange site may not log its visitors in to an account of its own. @throws cross_site */
export function refuseStrangePage({ headers }: Headed, { baseUrl, allowedOrigins }: Site): void {
  const { origin } = headers;
  if (origin === undefined || origin === originOf(baseUrl) || allowedOrigins.includes(origin)) return;
  throw serverError("cross_site");
}

const originOf = (url: string) => URL.parse(url)?.origin;
