import { isJsonObject, type Json, type JsonObject, parseJson } from "@darkmatter/core";
import { type Amount, amountText, parseAmount } from "./amount.ts";
import type { Cost, PoolHandler, ProxyRequest, UpstreamAnswer } from "./handler.ts";
import { createEvents } from "./openai-events.ts";
import type { Provider } from "./pool.ts";

/** Completion tokens set aside for a request that names no limit, where the provider's settings name none. */
const COMPLETION_TOKENS_DEFAULT = 1024;
const TOKENS_MAX = 1_000_000_000;
/** English text has about four characters for each token; to set enough aside we count three. */
const BYTES_PER_TOKEN = 3;
const CHOICES_MAX = 128;

export interface Usage {
  readonly prompt: number;
  readonly completion: number;
}

const decoder = new TextDecoder();

/**
 * Meters an API that speaks as OpenAI's does, by the tokens it says it used. `handler_config`:
 * `price_per_1k_prompt_tokens`, `price_per_1k_completion_tokens`, `default_completion_tokens` (set aside for a request
 * without `max_tokens`). The provider's price for each call comes on top.
 */
export const openAi: PoolHandler = {
  handlerType: "openai",

  validateRequest(_provider, method, _path, _headers, body) {
    if (method === "GET" || body === "") return null;
    const request = parseJson(body);
    if (!isJsonObject(request)) return "The body must be a JSON object.";
    const { max_tokens: tokens, max_completion_tokens: newer, n, stream } = request;
    // Some servers take 1 and "true" for true, and would stream what is not metered as a stream.
    if (stream != null && typeof stream !== "boolean") return "stream must be true or false.";
    const fits = (value: Json | undefined, most: number) =>
      value == null || (isCount(value) && value <= most);
    if (!fits(tokens, TOKENS_MAX) || !fits(newer, TOKENS_MAX)) return "max_tokens must be a whole number.";
    return fits(n, CHOICES_MAX) ? null : `n must be a whole number up to ${CHOICES_MAX}.`;
  },

  estimateCost: (provider, _method, _path, body) => priceOf(provider, estimated(provider, body)),

  async proxy(provider, request, forward) {
    const asked = parseJson(request.body);
    const streams = isJsonObject(asked) && asked.stream === true;
    const answer = await forward(streams ? withUsage(request, asked) : request, { streams });
    if (answer.stream) return metered(provider, request, answer, answer.stream);
    const { statusCode, headers, body } = answer;
    if (statusCode >= 400) return { statusCode, headers, body, cost: 0 };
    const value = parseJson(decoder.decode(body));
    const usage = isJsonObject(value) ? usageIn(value) : undefined;
    return { statusCode, headers, body, cost: priceOf(provider, usage ?? estimated(provider, request.body)) };
  },
};

/** Asks for the usage as the last event of the stream. */
function withUsage(request: ProxyRequest, asked: JsonObject): ProxyRequest {
  const options = isJsonObject(asked.stream_options) ? asked.stream_options : {};
  return {
    ...request,
    body: JSON.stringify({ ...asked, stream_options: { ...options, include_usage: true } }),
  };
}

function metered(
  provider: Provider,
  request: ProxyRequest,
  { statusCode, headers, body }: UpstreamAnswer,
  stream: AsyncIterable<Uint8Array>,
) {
  const events = createEvents();
  async function* read() {
    for await (const piece of stream) {
      events.read(piece);
      yield piece;
    }
  }
  const estimate = estimated(provider, request.body);
  return {
    statusCode,
    headers,
    body,
    cost: priceOf(provider, estimate),
    streaming: true,
    bodyStream: read(),
    finalCost(whole: boolean): Cost {
      const last = events.last();
      const usage = last && usageIn(last);
      if (usage) return priceOf(provider, usage);
      // Each event carries about one token. A stream that ended without its usage costs what was set aside.
      return priceOf(provider, whole ? estimate : { prompt: estimate.prompt, completion: events.count() });
    },
  };
}

function priceOf(provider: Provider, { prompt, completion }: Usage): Cost {
  const per = (name: string, tokens: number): Amount =>
    ((parseAmount(provider.handlerConfig[name]) ?? 0n) * BigInt(tokens) + 999n) / 1000n;
  const tokens =
    per("price_per_1k_prompt_tokens", prompt) + per("price_per_1k_completion_tokens", completion);
  return amountText(provider.pricePerCall + tokens);
}

function estimated({ handlerConfig }: Provider, body: string): Usage {
  if (body === "") return { prompt: 0, completion: 0 };
  const asked = parseJson(body);
  const { max_tokens: tokens, max_completion_tokens: newer, n } = isJsonObject(asked) ? asked : {};
  const { default_completion_tokens: configured } = handlerConfig;
  const each = [newer, tokens, configured].find(isCount) ?? COMPLETION_TOKENS_DEFAULT;
  return {
    prompt: Math.ceil(Buffer.byteLength(body) / BYTES_PER_TOKEN),
    completion: each * (isCount(n) ? Math.max(1, n) : 1),
  };
}

/** The usage in an answer, as far as it can be believed. */
function usageIn({ usage }: JsonObject): Usage | undefined {
  if (!isJsonObject(usage)) return undefined;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  if (!isCount(prompt)) return undefined;
  return { prompt, completion: isCount(completion) ? completion : 0 };
}

const isCount = (value: Json | undefined): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= TOKENS_MAX;
