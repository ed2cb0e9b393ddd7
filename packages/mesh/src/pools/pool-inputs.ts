import { codePointLength, type Json } from "@darkmatter/core";
import { parseUrl } from "@darkmatter/net";
import { z } from "zod";
import { type Amount, parseAmount } from "./amount.ts";
import { isCredentialHeader, isHeaderValue } from "./headers.ts";
import { checkedPath } from "./path.ts";
import { POLICIES } from "./pool.ts";

/** What the owner types, checked; each refusal says what is wanted. */
const short = (max: number) =>
  z.string().refine((text) => codePointLength(text) <= max, `at most ${max} characters`);

const id = z.string().min(1).max(128);
const tag = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^,\n\r]+$/, "no commas and no line breaks");

const token = z.string().regex(/^[A-Za-z0-9_.:$-]{1,64}$/, "the name of a token such as SOL, or its mint");

const baseUrl = z.string().refine((url) => {
  const parsed = parseUrl(url);
  return typeof parsed !== "string" && parsed.search === "" && parsed.hash === "";
}, "http:// or https://, without query, fragment, user name and password");

const allowedPath = z
  .string()
  .refine(
    (path) => checkedPath(path) === path && !path.includes("?"),
    "begins with /, without query, dot segments and escapes that need none",
  );

const config = z
  .record(z.string().max(100), z.json())
  .refine((value) => JSON.stringify(value).length <= 4096, "at most 4096 characters as JSON");

const money = z
  .union([z.number(), z.string()])
  .refine((value) => parseAmount(value) !== undefined, "takes a decimal number of 0 or more, such as 0.29");

/** An amount that passed the schema. */
export const amountOf = (value: Json): Amount => parseAmount(value) ?? 0n;

export const poolId = { pool_id: id };

export const created = z.object({
  name: short(100).min(1),
  tags: z.array(tag).min(1).max(20),
  description: short(1000).default(""),
  handler_type: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .default("passthrough"),
  handler_module: z.string().max(4096).optional(),
  policy: z.enum(POLICIES).default("paid"),
  max_balance: money.optional(),
});

export const policy = z.object({ ...poolId, policy: z.enum(POLICIES), max_balance: money.optional() });

export const provider = z.object({
  ...poolId,
  base_url: baseUrl,
  private_host: z.boolean().default(false),
  credential_header: z
    .string()
    .refine(isCredentialHeader, "the name of a header that reaches the provider")
    .default("Authorization"),
  credential_value: z.string().refine(isHeaderValue, "one line of ASCII").default(""),
  allowed_paths: z.array(allowedPath).min(1).max(50),
  price_per_call: money.default(0),
  price_token: token.default("SOL"),
  handler_config: config.default({}),
});

export const providerId = z.object({ ...poolId, provider_id: id });
export const switched = z.object({ ...poolId, provider_id: id, enabled: z.boolean() });

export const granted = z.object({
  ...poolId,
  consumer_agent_id: z.string().regex(/^[0-9a-f]{64}$/, "a whole agent id"),
  amount: money,
  payment_token: token.default("SOL"),
});

export const tokenId = z.object({ ...poolId, token_id: id });

const peer = { agent_id: id };
export const asked = z.object({ ...peer, ...poolId });
export const purchase = z.object({ ...peer, ...poolId, amount: money, payment_token: token.default("SOL") });
export const called = z.object({
  ...peer,
  ...poolId,
  access_token: id.optional(),
  method: z.string().max(16).default("GET"),
  path: z.string().max(2048),
  headers: z.record(z.string().max(256), z.string().max(8192)).default({}),
  body: z
    .string()
    .max(1024 * 1024)
    .default(""),
});
