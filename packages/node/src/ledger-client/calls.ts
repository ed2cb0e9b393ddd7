import { type Clock, hasCode, SECOND_MS } from "@darkmatter/core";
import type { OutboundAnswer, OutboundMethod, OutboundRequest, Wire } from "@darkmatter/net";
import { BUNDLE_BYTES_MAX } from "@darkmatter/proof";
import type { z } from "zod";
import { type ClientErrorCode, clientError } from "./errors.ts";
import { readAnswer } from "./exact-answer.ts";
import { createRefusals } from "./refusals.ts";
import type { ServerSettings } from "./settings.ts";

/** Until an answer begins. */
const TIMEOUT_MS = 30 * SECOND_MS;
const LONG_TIMEOUT_MS = 600 * SECOND_MS;
/** How long a server that asks to come again later is waited for, in all, where the command may wait. */
const PATIENCE_MS = 4000 * SECOND_MS;
const RETRY_MS_DEFAULT = 5 * SECOND_MS;
/** The same after each failure of a line, twice as long each time. */
const AWAY_RETRIES = 4;
const AWAY_RETRY_MS = SECOND_MS;

export interface CallPorts extends ServerSettings {
  readonly wire: Wire;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told what is going on when it takes long. */
  readonly progress?: (text: string) => void;
}

export interface Call {
  readonly method?: OutboundMethod;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** The text of a JSON object; payloads must keep their bytes. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without the key, as for whoever has none yet. */
  readonly isAnonymous?: boolean;
  /** Waits as long as the server asks to, and tries again when it is away: only for what may be sent twice. */
  readonly isPatient?: boolean;
  /** Reads a whole chain, which takes a server its time when it has 100,000 steps. */
  readonly isLong?: boolean;
  /** What a status means for this call. */
  readonly refusals?: Readonly<Record<number, ClientErrorCode>>;
}

export type Query = NonNullable<Call["query"]>;

/** Requests to one ledger server, and what its refusals mean. Both throw what `clientError` lists. */
export interface Calls {
  bytesOf(call: Call): Promise<Uint8Array>;
  call<S extends z.ZodType>(schema: S, request: Call): Promise<z.infer<S>>;
  /** Whether a request was begun that changes something there; it may have been done without an answer. */
  hasAskedToWrite(): boolean;
}

export function createCalls(ports: CallPorts): Calls {
  const { host, clock, signal, progress } = ports;
  const refusals = createRefusals(ports);

  let isWriting = false;

  async function bytesOf(call: Call): Promise<Uint8Array> {
    if (methodOf(call) !== "GET") isWriting = true;
    let waitedMs = 0;
    for (let away = 0; ; ) {
      const outcome = await attempt(call);
      if (outcome.kind === "answered") return outcome.body;
      const mayWait = call.isPatient === true && waitedMs < PATIENCE_MS;
      const isLost = outcome.kind === "away" && ++away > AWAY_RETRIES;
      if (!mayWait || outcome.kind === "refused" || isLost) throw outcome.error;
      const waitMs = outcome.kind === "busy" ? outcome.retryMs : AWAY_RETRY_MS * 2 ** away;
      progress?.(
        outcome.kind === "busy"
          ? `the server takes no more calls for now; going on in ${Math.ceil(waitMs / SECOND_MS)} s`
          : "the server does not answer; trying again",
      );
      await clock.sleep(waitMs, signal);
      waitedMs += waitMs;
    }
  }

  async function attempt(call: Call): Promise<Outcome> {
    try {
      const answer = await exchange(ports, call);
      const { status, headers, body } = answer;
      if (status >= 200 && status < 300) return { kind: "answered", body };
      if (status !== 429) return { kind: "refused", error: refusals.refusalOf(call, answer) };
      const retryMs = retryMsOf(headers["retry-after"]);
      const when = `Try again in ${Math.ceil(retryMs / SECOND_MS)} s.`;
      const said = refusals.saidBy(body, "Too many calls.");
      return { kind: "busy", retryMs, error: clientError("SERVER_BUSY", `${said} ${when}`) };
    } catch (error) {
      if (hasCode(error, "ABORTED") || !hasAwayCode(error)) throw error;
      return { kind: "away", error: clientError("SERVER_AWAY", `${host} does not answer.`, error) };
    }
  }

  async function call<S extends z.ZodType>(schema: S, request: Call): Promise<z.infer<S>> {
    const parsed = schema.safeParse(parsedAnswer(host, await bytesOf(request)));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw clientError(
      "SERVER_STRANGE",
      `${host} answers, but without ${issue?.path.join(".") || "an object"}.`,
    );
  }

  return { bytesOf, call, hasAskedToWrite: () => isWriting };
}

/** Redirects are not followed: the key would go wherever one points. */
async function exchange({ wire, progress, ...settings }: CallPorts, call: Call): Promise<OutboundAnswer> {
  const request = requestOf(settings, call);
  if (!wire.stream) return wire.request(request);
  const answer = await wire.stream(request);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size > 1e6) progress?.(`${(size / 1e6).toFixed(1)} MB received`);
  }
  return { status: answer.status, headers: answer.headers, body: Buffer.concat(pieces, size) };
}

const methodOf = ({ method, body }: Call): OutboundMethod => method ?? (body === undefined ? "GET" : "POST");

/** @throws KEY_UNSET */
function requestOf(
  { host, apiKey, signal }: Pick<CallPorts, "host" | "apiKey" | "signal">,
  call: Call,
): OutboundRequest {
  const { path, query, body, headers, isAnonymous, isLong } = call;
  if (isAnonymous !== true && apiKey === undefined) throw clientError("KEY_UNSET");
  return {
    method: methodOf(call),
    url: host + path + queryText(query ?? {}),
    reach: "private",
    maxBytes: BUNDLE_BYTES_MAX,
    timeoutMs: isLong ? LONG_TIMEOUT_MS : TIMEOUT_MS,
    signal,
    headers: {
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(isAnonymous !== true && { authorization: `Bearer ${apiKey}` }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  };
}

type Outcome =
  | { readonly kind: "answered"; readonly body: Uint8Array }
  | { readonly kind: "busy"; readonly retryMs: number; readonly error: Error }
  | { readonly kind: "away"; readonly error: Error }
  | { readonly kind: "refused"; readonly error: Error };

const AWAY_CODES = ["UNREACHABLE", "TIMEOUT", "CONNECTION_LOST"];
const hasAwayCode = (error: unknown) => AWAY_CODES.some((code) => hasCode(error, code));

function parsedAnswer(host: string, body: Uint8Array): unknown {
  try {
    return readAnswer(new TextDecoder().decode(body));
  } catch (error) {
    throw clientError("SERVER_STRANGE", `${host} answers with something that is no JSON.`, error);
  }
}

/** Whole seconds; a date or nonsense is the default. */
function retryMsOf(header: string | undefined): number {
  return /^\d{1,5}$/.test(header ?? "") ? Math.max(1, Number(header)) * SECOND_MS : RETRY_MS_DEFAULT;
}

function queryText(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
