import {
  isAdmissibleKey,
  isFresh,
  isJsonObject,
  type Json,
  MINUTE_MS,
  parseTime,
  SECOND_MS,
} from "@darkmatter/core";
import { meshError } from "../errors.ts";
import { AGENT_ID_CODE_POINTS_MAX, type Body } from "../fields.ts";
import { validateWebhook } from "../webhooks/webhook.ts";
import { HOPS_MAX } from "./routing.ts";

/** How long a signal travels. */
export const SIGNAL_LIFETIME_MS = 5 * MINUTE_MS;
/** After this its originator waits no longer (mesh.md 13). */
export const WATCHDOG_MS = SIGNAL_LIFETIME_MS + 5 * SECOND_MS;
export const SIGNAL_ID_MAX = 128;
const TEXT_MAX = 128;
/** Whole units; more than there is of any token. */
const AMOUNT_MAX = 1e18;
const DECIMALS_MAX = 18;

/** A fee that looks for its taker, as it travels (mesh.md 13). */
export interface Signal {
  readonly signal_id: string;
  readonly original_tx: string;
  readonly sender_agent_id: string;
  /** The fee in whole units: for other holders to see, never what is paid. */
  readonly amount: number;
  readonly token: string;
  readonly token_decimals: number;
  readonly sender_superagent_wallet: string;
  readonly callback_url: string;
  readonly hops: number;
  readonly max_hops: number;
  readonly created_at: string;
  /** Who had it, the originator first. */
  readonly path: readonly string[];
}

/** That a holder handed a signal to the next: who may speak for its end (docs/antimatter.md). */
export interface Handoff {
  readonly from: string;
  readonly to: string;
  readonly signature_hex: string;
}

const invalid = (field: string) => meshError("BAD_REQUEST", `Invalid antimatter signal: '${field}'`);

/** Reads a signal that another node hands us; what is no signal is refused. Throws BAD_REQUEST. */
export function parseSignal(body: Body): Signal {
  const signal = {
    signal_id: textIn(body, "signal_id", SIGNAL_ID_MAX),
    original_tx: textIn(body, "original_tx", TEXT_MAX),
    sender_agent_id: textIn(body, "sender_agent_id", AGENT_ID_CODE_POINTS_MAX),
    amount: amountIn(body),
    token: textIn(body, "token", TEXT_MAX),
    token_decimals: wholeIn(body, "token_decimals", DECIMALS_MAX, 9),
    sender_superagent_wallet: textIn(body, "sender_superagent_wallet", TEXT_MAX, ""),
    callback_url: callbackIn(body),
    hops: wholeIn(body, "hops", Number.MAX_SAFE_INTEGER, 0),
    max_hops: Math.min(wholeIn(body, "max_hops", Number.MAX_SAFE_INTEGER, HOPS_MAX), HOPS_MAX),
    created_at: textIn(body, "created_at", 64),
    path: pathIn(body.path),
  };
  if (parseTime(signal.created_at) === undefined) throw invalid("created_at");
  return signal;
}

/** Why a well-formed signal is not played any more; `undefined` for one that is. */
export function refusalOf(signal: Signal, self: string, nowMs: number): string | undefined {
  // A holder that counts wrong is counted by the path.
  if (Math.max(signal.hops, signal.path.length) >= signal.max_hops) return "Signal expired (max hops)";
  if (!isFresh(signal.created_at, nowMs)) return "Signal expired (age)";
  if (signal.path.includes(self)) return "Loop detected";
  return undefined;
}

/** How the chain of holders vouches for a signal; empty from nodes of the first generation. Throws BAD_REQUEST. */
export function handoffsIn(value: Json | undefined): readonly Handoff[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > HOPS_MAX) throw invalid("handoffs");
  return value.map((one) => {
    const { from, to, signature_hex } = isJsonObject(one) ? one : {};
    const isWhole = isKey(from) && isKey(to) && typeof signature_hex === "string";
    if (!isWhole || !/^[0-9a-f]{128}$/.test(signature_hex)) throw invalid("handoffs");
    return { from, to, signature_hex };
  });
}

const isKey = (value: Json | undefined): value is string =>
  typeof value === "string" && isAdmissibleKey(value);

function textIn(body: Body, field: string, max: number, absent?: string): string {
  const value = body[field] ?? absent;
  const isText = typeof value === "string" && value.length <= max && (value !== "" || absent === "");
  if (!isText || value.includes("\n") || !value.isWellFormed()) throw invalid(field);
  return value;
}

function wholeIn(body: Body, field: string, max: number, absent: number): number {
  const value = body[field] ?? absent;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) throw invalid(field);
  return value;
}

function amountIn({ amount }: Body): number {
  if (typeof amount !== "number" || !(amount > 0 && amount <= AMOUNT_MAX)) throw invalid("amount");
  return amount;
}

const CALLBACK_PATH = /^\/__darkmatter__\/(antimatter|gas)_result$/;

function callbackIn(body: Body): string {
  const url = textIn(body, "callback_url", 2048);
  const { pathname = "", search = "", hash = "" } = URL.parse(url) ?? {};
  const isCallback = CALLBACK_PATH.test(pathname) && search === "" && hash === "";
  if (!isCallback || validateWebhook(url) !== undefined) throw invalid("callback_url");
  return url;
}

function pathIn(value: Json | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length > HOPS_MAX) throw invalid("path");
  const isAgent = (one: Json): one is string => typeof one === "string" && /^[!-~]{1,128}$/.test(one);
  if (!value.every(isAgent) || new Set(value).size !== value.length) throw invalid("path");
  return value;
}
