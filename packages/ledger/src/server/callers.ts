import { timingSafeEqual } from "node:crypto";
import { MINUTE_MS, sha256, sha256Hex } from "@darkmatter/core";
import { subscriberOf } from "@darkmatter/net";
import type { Read } from "@darkmatter/store";
import type { Answer, Route, RouteContract, RouteRequest } from "@darkmatter/surface";
import { type AgentIdentity, agentByKeyHash } from "./agents/agents.store.ts";
import { serverError, unauthorized } from "./errors.ts";
import { API_KEY } from "./ids.ts";
import { isStorable } from "./input.ts";
import { answer } from "./json-text.ts";
import type { LedgerServerPorts, Taken } from "./ports.ts";
import { createLongActs } from "./turns.ts";

/** Who calls with an API key: one agent, which may read all of its account and acts only as itself. */
export interface KeyCaller {
  readonly kind: "key";
  readonly account: number;
  readonly agentId: string;
  readonly agentName: string;
}

/** Who calls with a session: a person. */
export interface SessionCaller {
  readonly kind: "session";
  readonly account: number;
  readonly email: string;
}

export type Caller = KeyCaller | SessionCaller;

/** A route before it is known how its callers are admitted. */
export interface Way<By> {
  readonly method: Route["method"];
  readonly path: string;
  readonly summary: string;
  readonly body?: Route["body"];
  readonly maxBytes?: number;
  /** Takes the server seconds where there is much to look at: few at a time, of one caller fewer. */
  readonly isLong?: boolean;
  readonly contract: Omit<RouteContract, "caller">;
  readonly handle: (request: RouteRequest, caller: By) => Promise<Answer>;
}

/** Makes routes: each admits its callers in one place, and counts their calls. */
export interface Ways {
  byKey(way: Way<KeyCaller>): Route;
  bySession(way: Way<SessionCaller>): Route;
  byEither(way: Way<Caller>): Route;
  byAnyone(way: Way<undefined>): Route;
  byAdmin(way: Way<undefined>): Route;
}

/** Finds out whose session a request carries; refuses cookies of writes from other sites. */
export type FindSession = (request: RouteRequest) => Promise<SessionCaller | undefined>;

/** The API key of a request, as it was sent; `undefined` where there is none. */
export function bearerOf({ headers }: Pick<RouteRequest, "headers">): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}

/** The agent whose API key a request carries. */
export async function agentOfKey(
  read: Read,
  request: Pick<RouteRequest, "headers">,
): Promise<AgentIdentity | undefined> {
  const key = bearerOf(request);
  return key !== undefined && API_KEY.test(key) ? agentByKeyHash(read, sha256Hex(key)) : undefined;
}

/**
 * What the caller's calls are counted under: the socket's address, or the one a trusted proxy added last. What callers
 * themselves put before that is theirs to invent.
 */
export function addressOf(
  { headers, remote }: Pick<RouteRequest, "headers" | "remote">,
  trustProxy: boolean,
): string {
  const forwarded = trustProxy ? headers["x-forwarded-for"]?.split(",").at(-1)?.trim() : undefined;
  return subscriberOf(forwarded ?? "") ?? subscriberOf(remote.address) ?? remote.address;
}

/** Refuses an address's next act of a kind once it has done too many. */
export async function refusedAddress(
  { windows, config }: Pick<LedgerServerPorts, "windows" | "config">,
  request: Pick<RouteRequest, "headers" | "remote">,
  { act, limit, windowMs }: { readonly act: string; readonly limit: number; readonly windowMs: number },
): Promise<Answer | undefined> {
  const taken = await windows.take(`${act}/${addressOf(request, config.trustProxy)}`, limit, windowMs);
  return taken.isAllowed ? undefined : tooMany(taken);
}

/** Bodies are parsed before their senders are counted: what is no commit is a few lines. */
const JSON_BYTES_MAX = 64 * 1024;
/** Long acts at once. Those of strangers have a line of their own. */
const LONG_OF_ONE = 4;
const LONG_OF_ALL = 24;

export interface WaysOptions {
  readonly findSession: FindSession;
  /** Told whose key was used. */
  readonly onKeyUsed: (agentId: string) => void;
}

export function createWays(ports: LedgerServerPorts, { findSession, onKeyUsed }: WaysOptions): Ways {
  const { db, windows, config } = ports;
  const { limits } = config;

  async function keyCaller(request: RouteRequest): Promise<KeyCaller | undefined> {
    const agent = await agentOfKey(db, request);
    if (!agent) return undefined;
    onKeyUsed(agent.id);
    return { kind: "key", account: agent.account, agentId: agent.id, agentName: agent.name };
  }

  const longActs = {
    known: createLongActs({ ofOne: LONG_OF_ONE, ofAll: LONG_OF_ALL }),
    strange: createLongActs({ ofOne: LONG_OF_ONE, ofAll: LONG_OF_ALL }),
  };

  const counted = async (name: string, limit: number, handle: () => Promise<Answer>): Promise<Answer> => {
    const taken = await windows.take(name, limit, MINUTE_MS);
    if (!taken.isAllowed) return tooMany(taken);
    const given = await handle();
    return { ...given, headers: { ...limitHeaders(taken), ...given.headers } };
  };
  const countedCaller = <By extends Caller>(way: Way<By>, request: RouteRequest, caller: By) => {
    const name = caller.kind === "key" ? `key/${caller.agentId}` : `account/${caller.account}`;
    const handle = () => handled(way, request, caller);
    return counted(name, limits.callsAMinute, () =>
      way.isLong ? longActs.known.run(String(caller.account), handle) : handle(),
    );
  };
  const countedAddress = (way: Way<undefined>, request: RouteRequest) => {
    const address = addressOf(request, config.trustProxy);
    const handle = () => handled(way, request, undefined);
    return counted(`address/${address}`, limits.publicCallsAMinute, () =>
      way.isLong ? longActs.strange.run(address, handle) : handle(),
    );
  };

  function route<By>(
    { contract, body = "none", isLong: _, ...way }: Way<By>,
    caller: RouteContract["caller"],
    admit: (request: RouteRequest) => Promise<Answer>,
  ): Route {
    const maxBytes = way.maxBytes ?? JSON_BYTES_MAX;
    return { ...way, body, maxBytes, guards: [], contract: { ...contract, caller }, handle: admit };
  }

  return {
    byKey: (way) =>
      route(way, "key", async (request) => {
        const caller = await keyCaller(request);
        if (!caller) throw unauthorized("key");
        return countedCaller(way, request, caller);
      }),
    bySession: (way) =>
      route(way, "session", async (request) => {
        const caller = await findSession(request);
        if (!caller) throw unauthorized("session");
        return countedCaller(way, request, caller);
      }),
    byEither: (way) =>
      route(way, "key or session", async (request) => {
        const caller = (await keyCaller(request)) ?? (await findSession(request));
        if (!caller) throw unauthorized("key or session");
        return countedCaller(way, request, caller);
      }),
    byAnyone: (way) => route(way, "anyone", (request) => countedAddress(way, request)),
    byAdmin: (way) =>
      route(way, "admin", async (request) => {
        // Counted before it is looked at: a secret that people chose can be guessed.
        const refused = await refusedAddress(ports, request, {
          act: "admin",
          limit: limits.publicCallsAMinute,
          windowMs: MINUTE_MS,
        });
        if (refused) return refused;
        if (!(await isAdmin(request))) throw unauthorized("admin");
        return way.handle(request, undefined);
      }),
  };

  async function isAdmin(request: RouteRequest): Promise<boolean> {
    const secret = bearerOf(request);
    if (secret === undefined) return false;
    if (config.adminSecret !== undefined && isSame(secret, config.adminSecret)) return true;
    const caller = await keyCaller(request);
    return caller !== undefined && config.adminAgents.includes(caller.agentId);
  }
}

/** No id holds what a database cannot keep, and one of the engines refuses to look for it. @throws not_found */
async function handled<By>(way: Way<By>, request: RouteRequest, caller: By): Promise<Answer> {
  if (!Object.values(request.params).every(isStorable)) throw serverError("not_found");
  // Whoever waited for a turn may have left meanwhile.
  if (way.isLong) request.signal.throwIfAborted();
  return way.handle(request, caller);
}

/** By hashes, which are of one length, and in a time that tells nothing of either. */
function isSame(sent: string, secret: string): boolean {
  return timingSafeEqual(sha256(sent), sha256(secret));
}

function limitHeaders({ limit, remaining, resetMs }: Taken): Record<string, string> {
  if (limit < 0) return {};
  return {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remaining),
    "ratelimit-reset": String(Math.ceil(resetMs / 1000)),
  };
}

/** 429, with when to come again. */
export function tooMany(taken: Taken): Answer {
  const { message, code, hint } = serverError("rate_limited");
  const seconds = String(Math.max(1, Math.ceil(taken.resetMs / 1000)));
  return answer(429, { error: message, code, hint }, { ...limitHeaders(taken), "retry-after": seconds });
}
