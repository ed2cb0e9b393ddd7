import { isJsonObject, type Json } from "@darkmatter/core";
import type { Headers } from "@darkmatter/net";

const HEADERS_MAX = 64;
const HEADER_CHARACTERS_MAX = 16 * 1024;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

/** Meant for the next server only (RFC 9110 7.6.1), or made by our own client. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
const OURS = ["host", "content-length", "expect", "accept-encoding"];
/** By these an upstream may take another path or method than was checked, or another caller than there is. */
const DISGUISES = [
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-original-method",
  "x-method-override",
  "x-http-method",
  "x-http-method-override",
];
const DROPPED = new Set([...HOP_BY_HOP, ...OURS, ...DISGUISES]);

/** Servers that put headers into an environment take `X_Api_Key` for `X-Api-Key`. */
const plainName = (name: string) => name.toLowerCase().replaceAll("_", "-");

const isDropped = (name: string) =>
  DROPPED.has(name) || name.startsWith("proxy-") || name.startsWith("x-forwarded-");

/** The headers a consumer gives; `undefined` for what no request may carry. */
export function readHeaders(given: Json | undefined): Headers | undefined {
  if (given === undefined || given === null) return {};
  if (!isJsonObject(given)) return undefined;
  const entries = Object.entries(given);
  const length = entries.reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
  if (entries.length > HEADERS_MAX || length > HEADER_CHARACTERS_MAX) return undefined;
  const fits = ([name, value]: [string, Json]) =>
    NAME.test(name) && typeof value === "string" && VALUE.test(value);
  if (!entries.every(fits)) return undefined;
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value as string]));
}

/** What travels on to a provider: the consumer's headers without what could mislead it, and the owner's credential. */
export function upstreamHeaders(
  given: Headers,
  credential: { readonly header: string; readonly value: string },
): Headers {
  const secret = plainName(credential.header);
  const kept = withoutNamed(given).filter(([name]) => {
    const plain = plainName(name);
    return !isDropped(plain) && plain !== secret;
  });
  return {
    ...Object.fromEntries(kept),
    "accept-encoding": "identity",
    ...(credential.value !== "" && { [credential.header.toLowerCase()]: credential.value }),
  };
}

/**
 * What a consumer hears of an answer's headers. A cookie is a session of the owner's account: with it the consumer
 * could go to the provider by itself.
 */
export function consumerHeaders(answer: Headers, credentialValue: string): Headers {
  const kept = withoutNamed(answer).filter(
    ([name, value]) =>
      !HOP_BY_HOP.includes(name) &&
      !name.startsWith("proxy-") &&
      !["content-encoding", "set-cookie", "set-cookie2"].includes(name) &&
      !secretsIn(credentialValue).some((secret) => value.includes(secret)),
  );
  return Object.fromEntries(kept);
}

/** Shorter ones stand in answers by chance. */
const SECRET_LEAST = 8;

/** A credential as an answer may repeat it: whole, and without the scheme before it (`Bearer`). */
export function secretsIn(credentialValue: string): readonly string[] {
  const [, ...bare] = credentialValue.split(/[\t ]+/);
  return [credentialValue, ...bare].filter((secret) => secret.length >= SECRET_LEAST);
}

/** Without those a `Connection` header names. */
function withoutNamed(headers: Headers): [string, string][] {
  const entries = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), value] as [string, string],
  );
  const connection = entries.filter(([name]) => plainName(name) === "connection");
  const named = new Set(
    connection.flatMap(([, value]) => value.split(",").map((name) => plainName(name.trim()))),
  );
  return entries.filter(([name]) => !named.has(plainName(name)));
}

/** Whether a header may carry a provider's credential. */
export function isCredentialHeader(name: string): boolean {
  return NAME.test(name) && name.length <= 128 && !isDropped(plainName(name));
}

export const isHeaderValue = (value: string): boolean => value.length <= 8192 && VALUE.test(value);
