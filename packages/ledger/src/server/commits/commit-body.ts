import {
  type ExactJson,
  type ExactObject,
  isExactObject,
  readExactObject,
  writeExactJson,
} from "@darkmatter/core";
import type { RouteRequest } from "@darkmatter/surface";
import { serverError } from "../errors.ts";

/** The body of a request as exact JSON; no body is `{}`. @throws the codes of ledger.md 2.1 */
export function exactBody({ body }: Pick<RouteRequest, "body">): ExactObject {
  if (body.length === 0) return new Map();
  // Bytes that are no UTF-8 become U+FFFD here, and so would what is hashed: they are refused instead.
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw serverError("invalid_request", "The body is not UTF-8.");
  }
  return readExactObject(text);
}

/** A text member; null is as absent. @throws invalid_request */
export function textOf(body: ExactObject, name: string, charactersMax = 200): string | undefined {
  const value = body.get(name) ?? null;
  if (value === null) return undefined;
  if (typeof value !== "string" || value.length > charactersMax)
    throw serverError("invalid_request", `\`${name}\` is a text of at most ${charactersMax} characters.`);
  return value;
}

/** An object member; null is as absent. @throws invalid_request */
export function objectOf(body: ExactObject, name: string): ExactObject | undefined {
  const value = body.get(name) ?? null;
  if (value === null) return undefined;
  if (!isExactObject(value)) throw serverError("invalid_request", `\`${name}\` is an object.`);
  return value;
}

/** The text of a commit's payload; legacy `context` becomes its `output`. @throws payload_required, not_an_object */
export function payloadTextOf(body: ExactObject, payloadBytesMax: number): string {
  const payload = body.get("payload") ?? null;
  const context: ExactJson | undefined = body.get("context");
  const value = payload === null && context !== undefined ? new Map([["output", context]]) : payload;
  if (value === null) throw serverError("payload_required");
  if (!isExactObject(value)) throw serverError("payload_required", "`payload` is an object.");
  const text = writeExactJson(value);
  if (Buffer.byteLength(text) > payloadBytesMax) throw serverError("payload_too_large");
  return text;
}
