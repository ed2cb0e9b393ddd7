import type { Json } from "@darkmatter/core";
import type { HandlerResponse, InboundRequest } from "@darkmatter/net";
import type { z } from "zod";

/** A request on its way through a route's guards: each guard may add what it learned. */
export interface RouteRequest extends InboundRequest {
  /** Path parameters by name, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly search: URLSearchParams;
  /** The parsed body of a `json` route (always an object); an empty object otherwise. */
  readonly json: { readonly [key: string]: Json };
}

export type Answer = HandlerResponse;

/** Refuses with an answer, or lets pass. Guards run in the order listed: the order of refusals is wire contract. */
export type Guard = (request: RouteRequest) => Answer | undefined | Promise<Answer | undefined>;

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/__darkmatter__/webhook/:message_id` */
  readonly path: string;
  /** What it is for, one sentence: shown in the API page and in tests. */
  readonly summary: string;
  /** Run before the body is parsed. */
  readonly guards: readonly Guard[];
  /** `json`: a body that is no JSON object, or nests too deep, is answered 400 after the guards. */
  readonly body: "none" | "json" | "raw";
  /** Longer bodies are answered 413. Default `BODY_BYTES_MAX`. */
  readonly maxBytes?: number;
  readonly handle: (request: RouteRequest) => Promise<Answer>;
  /** What a page about the API says of it. */
  readonly contract?: RouteContract;
}

/** What callers may rely on, as data: the API page is made of it, and its examples are run. */
export interface RouteContract {
  /** The chapter it stands in. */
  readonly tag: string;
  /** Who may call it. */
  readonly caller: "anyone" | "key" | "session" | "key or session" | "admin" | "witness";
  readonly query?: z.ZodObject;
  /** Of a JSON body. */
  readonly request?: z.ZodType;
  /** By status. */
  readonly answers: Readonly<Record<number, { readonly says: string; readonly schema?: z.ZodType }>>;
  readonly examples: readonly RouteExample[];
}

/** A call as it may be made. `{name}` in path, query and body stands for what the world it is run in has of that name. */
export interface RouteExample {
  readonly name: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json;
  readonly status: number;
}

/** 1 MiB (mesh.md 4). */
export const BODY_BYTES_MAX = 1024 * 1024;

export function json(status: number, value: Json | object): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

export function text(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

export function refusal(status: number, error: string): Answer {
  return json(status, { error });
}
