import type { JsonObject } from "@darkmatter/core";
import type { Following } from "./following.ts";
import { a2aError } from "./protocol-errors.ts";
import { parseList, parseSend, parseTask } from "./request.ts";
import { isTerminal } from "./task.ts";
import type { Tasks } from "./tasks.ts";
import type { Token } from "./token.ts";

/** What a call answers: one value, or what becomes of a task, as it becomes it. */
export type CallAnswer = { readonly value: JsonObject } | { readonly stream: AsyncIterable<JsonObject> };

/** A call by a caller whose token was checked, by either binding. */
export interface Call {
  readonly token: Token;
  readonly method: string;
  readonly params: JsonObject;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** The protocol's methods. Throws the protocol's errors. */
export function createCalls(tasks: Tasks, following: Following): (call: Call) => Promise<CallAnswer> {
  async function sendMessage({ token, params, signal }: Call): Promise<CallAnswer> {
    const request = parseSend(params);
    const { id } = await tasks.send(token, request);
    if (!request.returnImmediately) await following.end(token, id, signal);
    return { value: { task: await tasks.get(token, { id, historyLength: request.historyLength }) } };
  }

  async function sendStreaming({ token, params, signal }: Call): Promise<CallAnswer> {
    const request = parseSend(params);
    const place = following.take(token);
    const { id } = await tasks.send(token, request).catch((error) => {
      place[Symbol.dispose]();
      throw error;
    });
    return { stream: following.follow(token, id, { historyLength: request.historyLength, signal, place }) };
  }

  async function subscribe({ token, params, signal }: Call): Promise<CallAnswer> {
    const { id } = parseTask(params);
    await tasks.get(token, { id, historyLength: 0 });
    const now = await tasks.look(id);
    if (!now || isTerminal(now.status)) throw a2aError("UNSUPPORTED_OPERATION", "The task has ended.");
    return {
      stream: following.follow(token, id, { historyLength: undefined, signal, place: following.take(token) }),
    };
  }

  return async (call) => {
    const { token, method, params } = call;
    switch (method) {
      case "SendMessage":
        return sendMessage(call);
      case "SendStreamingMessage":
        return sendStreaming(call);
      case "SubscribeToTask":
        return subscribe(call);
      case "GetTask":
        return { value: await tasks.get(token, parseTask(params)) };
      case "ListTasks":
        return { value: await tasks.list(token, parseList(params)) };
      case "CancelTask":
        return { value: await tasks.cancel(token, parseTask(params).id) };
      case "CreateTaskPushNotificationConfig":
      case "GetTaskPushNotificationConfig":
      case "ListTaskPushNotificationConfigs":
      case "DeleteTaskPushNotificationConfig":
        throw a2aError("PUSH_NOTIFICATION_NOT_SUPPORTED");
      case "GetExtendedAgentCard":
        throw a2aError("UNSUPPORTED_OPERATION", "There is no extended card.");
      default:
        throw a2aError("METHOD_NOT_FOUND");
    }
  };
}
