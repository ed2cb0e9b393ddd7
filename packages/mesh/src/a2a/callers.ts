import { createWindowLimiter, type Guard, json, type RouteRequest } from "@darkmatter/surface";
import type { MeshPorts } from "../ports.ts";
import type { Token } from "./token.ts";
import type { Tokens } from "./tokens.ts";

/** Calls a minute of one token. */
export const CALLS_PER_MINUTE = 120;
/** Refused tokens a minute from one address; beyond it not even why is told. */
export const FAILURES_PER_MINUTE = 20;

/** Who calls, by the token shown. */
export interface Callers {
  /** 401 without a token that holds, 429 for one that calls too often. From any address. */
  readonly guard: Guard;
  /** Whose request it is, after the guard let it pass. */
  of(request: RouteRequest): Token;
}

const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,256}) *$/i;

export function createCallers({ db, clock }: MeshPorts, tokens: Tokens): Callers {
  const limiter = createWindowLimiter({ clock });
  const holders = new WeakMap<RouteRequest, Token>();

  return {
    async guard(request) {
      const { authorization } = request.headers;
      const secret = BEARER.exec(authorization ?? "")?.[1];
      const token = secret === undefined ? undefined : await tokens.holder(db, secret);
      if (!token)
        return refused(limiter.take(`from ${request.remote.address}`, FAILURES_PER_MINUTE), authorization);
      if (!limiter.take(`of ${token.id}`, CALLS_PER_MINUTE)) return tooMany();
      holders.set(request, token);
      return undefined;
    },

    of(request) {
      const token = holders.get(request);
      if (!token) throw new TypeError("a request that passed no guard");
      return token;
    },
  };
}

function refused(isTold: boolean, authorization: string | undefined) {
  if (!isTold) return tooMany();
  const why = authorization === undefined ? "" : ', error="invalid_token"';
  const hint = "Ask the agent's owner for a token: darkmatter a2a token issue NAME";
  const answer = json(401, {
    error: "A token is needed that the agent's owner issued, and that still holds.",
    hint,
  });
  return { ...answer, headers: { ...answer.headers, "www-authenticate": `Bearer realm="a2a"${why}` } };
}

function tooMany() {
  const answer = json(429, { error: "Too many requests", hint: "Wait a minute, then try again." });
  return { ...answer, headers: { ...answer.headers, "retry-after": "60" } };
}
