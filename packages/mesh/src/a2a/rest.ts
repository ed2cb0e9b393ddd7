import { isUtf8 } from "node:buffer";
import { DarkMatterError, isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import { type Answer, type Guard, json, type Route, type RouteRequest } from "@darkmatter/surface";
import type { Services } from "../services.ts";
import { A2A_PATH } from "./card.ts";
import { a2aError, rpcError } from "./protocol-errors.ts";
import { requireVersion } from "./request.ts";
import { eventStream } from "./sse.ts";

/** The HTTP+JSON binding of the same methods (A2A 1.0, section 11). */
export function restRoutes({ a2a }: Services, guards: readonly Guard[]): Route[] {
  async function answer(request: RouteRequest, method: string, params: JsonObject): Promise<Answer> {
    const token = a2a.callers.of(request);
    const result = await a2a.call({ token, method, params, signal: request.signal });
    return "stream" in result ? eventStream(result.stream, (event) => event) : json(200, result.value);
  }

  const route = (
    method: "GET" | "POST",
    path: string,
    summary: string,
    call: (request: RouteRequest) => Promise<Answer>,
  ): Route => ({
    method,
    path: A2A_PATH + path,
    summary,
    guards,
    body: "raw",
    async handle(request) {
      try {
        requireVersion(request);
        return await call(request);
      } catch (error) {
        return refusalOf(error);
      }
    },
  });

  async function onTask(request: RouteRequest): Promise<Answer> {
    const [id = "", verb = ""] = splitAtLast(request.params.task ?? "", ":");
    if (verb === "cancel") return answer(request, "CancelTask", { id });
    if (verb === "subscribe") return answer(request, "SubscribeToTask", { id });
    throw a2aError("METHOD_NOT_FOUND");
  }

  return [
    route("POST", "/message:send", "Leaves a message.", (request) =>
      answer(request, "SendMessage", bodyOf(request)),
    ),
    route("POST", "/message:stream", "Leaves a message and follows its task.", (request) =>
      answer(request, "SendStreamingMessage", bodyOf(request)),
    ),
    route("GET", "/tasks", "The tasks of this token.", (request) =>
      answer(request, "ListTasks", queryOf(request)),
    ),
    route("GET", "/tasks/:task", "One task; with :subscribe, what becomes of it.", (request) => {
      const { task: id = "" } = request.params;
      if (id.endsWith(":subscribe")) return onTask(request);
      return answer(request, "GetTask", { ...queryOf(request), id });
    }),
    route("POST", "/tasks/:task", "Cancels a task, or follows it.", onTask),
  ];
}

function splitAtLast(text: string, mark: string): [string, string] {
  const at = text.lastIndexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Throws PARSE_ERROR. */
function bodyOf({ body }: RouteRequest): JsonObject {
  const value = isUtf8(body) ? parseJson(Buffer.from(body).toString("utf8")) : undefined;
  if (!isJsonObject(value)) throw a2aError("PARSE_ERROR");
  return value;
}

const NUMBERS = new Set(["historyLength", "pageSize"]);

/** The parameters in a query, each in the type the methods take. */
function queryOf({ search }: RouteRequest): JsonObject {
  const given = [...search].filter(([name]) => name !== "A2A-Version");
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (NUMBERS.has(name) && /^\d{1,6}$/.test(value)) return [name, Number(value)];
      if (value === "true" || value === "false") return [name, value === "true"];
      return [name, value];
    }),
  );
}

/** google.rpc.Status as JSON, as the binding has it. */
function refusalOf(error: unknown): Answer {
  const known = error instanceof DarkMatterError ? rpcError(error) : undefined;
  if (!known || !(error instanceof DarkMatterError)) throw error;
  const { message, data } = known;
  return json(error.status, {
    error: { code: error.status, status: error.code, message, details: data ?? [] },
  });
}
