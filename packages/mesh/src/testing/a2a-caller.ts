import type { JsonObject } from "@darkmatter/core";
import { callHandler, type HandlerAnswer } from "@darkmatter/surface/testing";
import type { TestNode } from "./memory-network.ts";

/** Somebody with a token, far away, that speaks A2A by JSON-RPC. */
export interface A2aCaller {
  readonly secret: string;
  /** The whole answer to one call; the headers given replace the usual ones, `undefined` leaves one out. */
  ask(method: string, params: object, headers?: Record<string, string | undefined>): Promise<HandlerAnswer>;
  /** The result of a call that must succeed. */
  call(method: string, params: object): Promise<JsonObject>;
  /** The JSON-RPC code of a call that must fail. */
  fails(method: string, params: object): Promise<number>;
  /** Leaves a message and does not wait; the task. */
  leave(text: string, more?: object): Promise<JsonObject>;
}

/** The session of one of the owner's commands. */
export const OWNER = { session: "owner" };

let messages = 0;

/** A message as a client sends it. */
export const a2aMessage = (text: string, more: object = {}): JsonObject => ({
  messageId: `client-${++messages}`,
  role: "ROLE_USER",
  parts: [{ text }],
  ...more,
});

export async function a2aCaller(node: TestNode, wanted: object = {}): Promise<A2aCaller> {
  const issued = await node.tool("owner_a2a_issue", { name: "phone", ...wanted }, OWNER);
  if (issued.success !== true) throw new Error(`no token: ${JSON.stringify(issued)}`);
  return a2aCallerWith(node, String(issued.token));
}

/** The same with a token that is given: right, wrong or over. */
export function a2aCallerWith(node: TestNode, secret: string): A2aCaller {
  const caller: A2aCaller = {
    secret,
    ask: (method, params, headers = {}) =>
      callHandler(node.handler, {
        method: "POST",
        path: "/a2a",
        remote: "203.0.113.7",
        headers: Object.fromEntries(
          Object.entries({ authorization: `Bearer ${secret}`, "a2a-version": "1.0", ...headers }).filter(
            (entry): entry is [string, string] => entry[1] !== undefined,
          ),
        ),
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      }),
    async call(method, params) {
      const { json } = await caller.ask(method, params);
      const { result } = json as { result?: JsonObject };
      if (!result) throw new Error(`${method} failed: ${JSON.stringify(json)}`);
      return result;
    },
    async fails(method, params) {
      const { json } = await caller.ask(method, params);
      const { error } = json as { error?: { code: number } };
      if (!error) throw new Error(`${method} did not fail: ${JSON.stringify(json)}`);
      return error.code;
    },
    async leave(text, more = {}) {
      const configuration = { returnImmediately: true };
      const { task } = await caller.call("SendMessage", { message: a2aMessage(text, more), configuration });
      return task as JsonObject;
    },
  };
  return caller;
}
