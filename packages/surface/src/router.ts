import type { Route } from "./route.ts";

export interface Match {
  readonly route: Route;
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** Why no route serves a request: which methods the path knows, if any. */
export interface Miss {
  readonly route: undefined;
  readonly allowed: readonly string[];
}

export type FindRoute = (method: string, path: string) => Match | Miss | "malformed";

interface Pattern {
  readonly segments: readonly string[];
  readonly route: Route;
}

const NO_PARAMS = Object.freeze({});

/**
 * Finds routes by path: those without parameters by one look-up, then those with, in the order listed. Slashes count:
 * `/mcp/` is not `/mcp`, and nothing is ever redirected. HEAD is served by the GET route.
 */
export function createRouter(routes: readonly Route[]): FindRoute {
  const exact = new Map<string, Map<string, Match>>();
  const patterns: Pattern[] = [];
  for (const route of routes) {
    if (route.path.includes("/:")) {
      patterns.push({ segments: route.path.split("/"), route });
      continue;
    }
    const methods = exact.get(route.path) ?? new Map<string, Match>();
    if (methods.has(route.method)) throw new TypeError(`Two routes for ${route.method} ${route.path}`);
    methods.set(route.method, { route, params: NO_PARAMS });
    if (route.method === "GET") methods.set("HEAD", { route, params: NO_PARAMS });
    exact.set(route.path, methods);
  }

  return (method, path) => {
    const methods = exact.get(path);
    if (methods) return methods.get(method) ?? { route: undefined, allowed: [...methods.keys()] };
    return findPattern(patterns, method === "HEAD" ? "GET" : method, path);
  };
}

function findPattern(patterns: readonly Pattern[], method: string, path: string): Match | Miss | "malformed" {
  const segments = path.split("/");
  const allowed = new Set<string>();
  for (const { segments: wanted, route } of patterns) {
    if (!fits(wanted, segments)) continue;
    if (route.method === method) {
      const params = decodedParams(wanted, segments);
      return params ? { route, params } : "malformed";
    }
    allowed.add(route.method);
    if (route.method === "GET") allowed.add("HEAD");
  }
  return { route: undefined, allowed: [...allowed] };
}

function fits(wanted: readonly string[], segments: readonly string[]): boolean {
  return (
    wanted.length === segments.length &&
    wanted.every((want, at) => (want.startsWith(":") ? segments[at] !== "" : want === segments[at]))
  );
}

function decodedParams(
  wanted: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [at, want] of wanted.entries()) {
    if (!want.startsWith(":")) continue;
    try {
      params[want.slice(1)] = decodeURIComponent(segments[at] as string);
    } catch {
      // `%` without two hex digits, or bytes that are not UTF-8: told to the caller as 400.
      return undefined;
    }
  }
  return params;
}
