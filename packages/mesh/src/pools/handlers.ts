import { amountText } from "./amount.ts";
import type { PoolHandler } from "./handler.ts";
import { openAi } from "./openai.ts";

/** The handlers a node knows, by their type. */
export interface Handlers {
  /** Replaces one of the same type. */
  registerHandler(handler: PoolHandler): void;
  getHandler(handlerType: string): PoolHandler | undefined;
}

export function createHandlers(): Handlers {
  const handlers = new Map<string, PoolHandler>();
  const registerHandler = (handler: PoolHandler) => void handlers.set(handler.handlerType, handler);
  registerHandler(passthrough);
  registerHandler(openAi);
  return { registerHandler, getHandler: (handlerType) => handlers.get(handlerType) };
}

/** From here on the provider failed, not the request: who calls pays nothing. */
const FAILED_STATUS = 500;

/** Hands a request on as it is, for the same price whatever it is. */
const passthrough: PoolHandler = {
  handlerType: "passthrough",

  async proxy(provider, request, forward) {
    // Who knows nothing of streams gets what it always got.
    const streams = /\btext\/event-stream\b/i.test(request.headers.accept ?? "");
    const answer = await forward(request, { streams });
    const cost = answer.statusCode >= FAILED_STATUS ? 0 : amountText(provider.pricePerCall);
    const { stream, ...rest } = answer;
    return { ...rest, cost, ...(stream && { streaming: true, bodyStream: stream }) };
  },
};
