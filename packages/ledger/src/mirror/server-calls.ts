import { hasCode, isJsonObject, type JsonObject, parseJson, SECOND_MS } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import { COMMIT_BODY_BYTES_MAX } from "../server/commits/commit-body.ts";
import { mirrorError } from "./errors.ts";

const AWAY_CODES = ["UNREACHABLE", "TIMEOUT", "CONNECTION_LOST"];
/** How long an answer may take, and how large it may be. */
interface Bounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** A commit's answer repeats the payload, which holds commitments alone, and adds its proof. */
const POSTED: Bounds = { timeoutMs: 20 * SECOND_MS, maxBytes: 1024 * 1024 };
/** An answer of one commit that another program made with the key: it shows no more of it than was sent. */
const ASKED: Bounds = { timeoutMs: 120 * SECOND_MS, maxBytes: COMMIT_BODY_BYTES_MAX + POSTED.maxBytes };
/** A server that says nothing of when to come again, or something absurd. */
const PAUSE_DEFAULT_MS = 60 * SECOND_MS;
const PAUSE_MAX_MS = 3600 * SECOND_MS;

/** Requests to a ledger server in the name of one API key. */
export interface ServerCalls {
  /** The answer of a status of 200 or 201, of one commit at most. @throws MIRROR_REFUSED, MIRROR_PAUSED, or an error of `Wire` */
  get(path: string): Promise<JsonObject>;
  post(path: string, body: string, idempotencyKey?: string): Promise<JsonObject>;
}

export interface ServerAccess {
  /** https, or loopback; without a slash at its end. */
  readonly url: string;
  readonly apiKey: string;
}

export function serverCalls(wire: Wire, { url, apiKey }: ServerAccess, signal: AbortSignal): ServerCalls {
  async function call(
    method: "GET" | "POST",
    path: string,
    bounds: Bounds,
    body?: string,
    idempotencyKey?: string,
  ): Promise<JsonObject> {
    // Redirects are not followed: the key is for this server alone.
    const request = {
      method,
      url: `${url}${path}`,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
      },
      ...(body !== undefined && { body }),
      ...bounds,
      reach: "private",
      signal,
    } as const;
    const answer = await wire.request(request).catch((error: unknown) => {
      const isAway = AWAY_CODES.some((code) => hasCode(error, code));
      throw isAway ? mirrorError("MIRROR_UNREACHABLE", undefined, error) : error;
    });
    if (answer.status === 429) throw mirrorPause(answer.headers["retry-after"]);
    const value = parseJson(new TextDecoder().decode(answer.body));
    const said = value !== undefined && isJsonObject(value) ? value : {};
    if (answer.status !== 200 && answer.status !== 201) throw refusalOf(path, answer.status, said.code);
    return said;
  }
  return {
    get: (path) => call("GET", path, ASKED),
    post: (path, body, idempotencyKey) => call("POST", path, POSTED, body, idempotencyKey),
  };
}

/** The server wants to be left alone for a while. */
export class MirrorPause extends Error {
  override readonly name = "MirrorPause";
  readonly forMs: number;

  constructor(forMs: number) {
    super("The server has had enough requests for now.");
    this.forMs = forMs;
  }
}

function mirrorPause(retryAfter: string | undefined): MirrorPause {
  const seconds = /^\d{1,9}$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
  const forMs = seconds === undefined ? PAUSE_DEFAULT_MS : seconds * SECOND_MS;
  return new MirrorPause(Math.min(Math.max(forMs, SECOND_MS), PAUSE_MAX_MS));
}

/** The server's sentence is left out: it may say anything, and is shown on a terminal. */
function refusalOf(path: string, status: number, code: unknown): Error {
  const named = typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? ` (${code})` : "";
  if (status === 401) return mirrorError("MIRROR_KEY_REFUSED");
  return mirrorError("MIRROR_REFUSED", `The ledger server answered ${path} with ${status}${named}.`);
}
