import { codePointLength, isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import type { RouteRequest } from "@darkmatter/surface";
import { z } from "zod";
import { CONTENT_CODE_POINTS_MAX } from "../messages/message.ts";
import { A2A_VERSION } from "./card.ts";
import { a2aError } from "./protocol-errors.ts";

const ID_MAX = 128;
export const PARTS_MAX = 100;
export const PAGE_MAX = 100;
export const PAGE_DEFAULT = 50;

const id = z
  .string()
  .min(1)
  .max(ID_MAX)
  .regex(/^[\x21-\x7e]+$/);
/** proto3 JSON leaves out what is empty, or writes it as empty. */
const perhapsId = z.union([z.literal("").transform(() => undefined), id]).optional();
const historyLength = z.int().min(0).max(1000).optional();

const Part = z.object({
  text: z.string().optional(),
  data: z.json().optional(),
  raw: z.string().optional(),
  url: z.string().optional(),
});

const SendParams = z.object({
  message: z.object({
    messageId: id,
    contextId: perhapsId,
    taskId: perhapsId,
    role: z.union([z.literal("ROLE_USER"), z.literal(1)]),
    parts: z.array(Part).min(1).max(PARTS_MAX),
  }),
  configuration: z
    .object({
      historyLength,
      returnImmediately: z.boolean().default(false),
      taskPushNotificationConfig: z.unknown().optional(),
    })
    .optional(),
});

const TaskParams = z.object({ id, historyLength });

const STATES = [
  "TASK_STATE_UNSPECIFIED",
  "TASK_STATE_SUBMITTED",
  "TASK_STATE_WORKING",
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
  "TASK_STATE_INPUT_REQUIRED",
  "TASK_STATE_REJECTED",
  "TASK_STATE_AUTH_REQUIRED",
] as const;
export type TaskState = (typeof STATES)[number];

const ListParams = z.object({
  contextId: perhapsId,
  status: z
    .union([
      z.enum(STATES),
      z
        .int()
        .min(0)
        .max(STATES.length - 1),
    ])
    .transform((value) => (typeof value === "number" ? STATES[value] : value))
    .optional(),
  pageSize: z.int().min(1).max(PAGE_MAX).optional(),
  pageToken: z
    .union([z.literal("").transform(() => undefined), z.string().regex(/^\d{1,16}-\d{1,16}$/)])
    .optional(),
  historyLength,
  statusTimestampAfter: z.iso.datetime({ offset: true }).optional(),
  includeArtifacts: z.boolean().default(false),
});

/** What somebody says: a text, or data that is passed on as its JSON. */
export type Said = { readonly text: string } | { readonly data: Json };

export interface SendRequest {
  readonly clientId: string;
  readonly contextId: string | undefined;
  readonly taskId: string | undefined;
  readonly parts: readonly Said[];
  /** What our agent gets to read. */
  readonly content: string;
  readonly historyLength: number | undefined;
  readonly returnImmediately: boolean;
}

export type TaskRequest = z.output<typeof TaskParams>;
export type ListRequest = z.output<typeof ListParams>;

/** Reads what SendMessage and SendStreamingMessage take. Throws INVALID_PARAMS and what the parts are refused with. */
export function parseSend(params: JsonObject): SendRequest {
  const { message, configuration } = parse(SendParams, params);
  if (configuration?.taskPushNotificationConfig != null) throw a2aError("PUSH_NOTIFICATION_NOT_SUPPORTED");
  const parts = message.parts.map(saidIn);
  const content = parts.map((part) => ("text" in part ? part.text : JSON.stringify(part.data))).join("\n\n");
  if (content.trim() === "") throw a2aError("INVALID_PARAMS", "The message says nothing.");
  if (!content.isWellFormed()) throw a2aError("INVALID_PARAMS", "The text must be well-formed Unicode.");
  if (codePointLength(content) > CONTENT_CODE_POINTS_MAX) {
    throw a2aError("INVALID_PARAMS", `A message holds at most ${CONTENT_CODE_POINTS_MAX} characters.`);
  }
  return {
    clientId: message.messageId,
    contextId: message.contextId,
    taskId: message.taskId,
    parts,
    content,
    historyLength: configuration?.historyLength,
    returnImmediately: configuration?.returnImmediately ?? false,
  };
}

function saidIn({ text, data, raw, url }: z.output<typeof Part>): Said {
  if (raw !== undefined || url !== undefined) throw a2aError("CONTENT_TYPE_NOT_SUPPORTED");
  if (text !== undefined) return { text };
  if (data !== undefined) return { data };
  throw a2aError("INVALID_PARAMS", "Each part holds text or data.");
}

export const parseTask = (params: JsonObject): TaskRequest => parse(TaskParams, params);
export const parseList = (params: JsonObject): ListRequest => parse(ListParams, params);

/** Names the field that is wrong, and nothing of what was in it. */
function parse<T>(schema: z.ZodType<T>, params: JsonObject): T {
  const read = schema.safeParse(params);
  if (read.success) return read.data;
  const where = read.error.issues[0]?.path.filter((key) => typeof key !== "symbol").join(".") || "params";
  throw a2aError("INVALID_PARAMS", `Missing or malformed: ${where}.`);
}

/** A JSON-RPC request, as far as it can be answered. */
export interface RpcRequest {
  readonly id: string | number | null;
  readonly method: string;
  readonly params: JsonObject;
}

/** The id to answer under, whatever else is wrong. */
export function rpcIdOf(value: Json | undefined): RpcRequest["id"] {
  if (!isJsonObject(value)) return null;
  const { id: given } = value;
  return typeof given === "string" || Number.isSafeInteger(given) ? (given as string | number) : null;
}

/** Throws INVALID_REQUEST, INVALID_PARAMS. */
export function parseRpc(value: Json): RpcRequest {
  if (!isJsonObject(value) || value.jsonrpc !== "2.0" || typeof value.method !== "string") {
    throw a2aError("INVALID_REQUEST");
  }
  const { method, params = {} } = value;
  if (!isJsonObject(params)) throw a2aError("INVALID_PARAMS", "params must be an object.");
  return { id: rpcIdOf(value), method, params };
}

/** Throws VERSION_NOT_SUPPORTED: without the header a client means version 0.3 (A2A 1.0, section 3.6.2). */
export function requireVersion({ headers, search }: Pick<RouteRequest, "headers" | "search">): void {
  const version = (headers["a2a-version"] ?? search.get("A2A-Version") ?? "").trim();
  if (version !== A2A_VERSION) throw a2aError("VERSION_NOT_SUPPORTED");
}
