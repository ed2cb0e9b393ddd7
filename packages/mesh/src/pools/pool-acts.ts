import type { JsonObject } from "@darkmatter/core";
import { isPrivateHost, parseUrl } from "@darkmatter/net";
import { z } from "zod";
import { PEER_WORDS } from "../answers.ts";
import { meshError } from "../errors.ts";
import { requireConnection } from "../messages/send.ts";
import type { Services } from "../services.ts";
import { amountNumber } from "./amount.ts";
import type { AccessToken, Pool } from "./pool.ts";
import { poolFields, providerFields, tokenFields } from "./pool-fields.ts";
import * as inputs from "./pool-inputs.ts";
import { readTokens } from "./pools.store.ts";

/** One thing an owner does with pools: a tool for commands, and a route for curl where it has one. */
export interface PoolAct<Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  readonly reads?: true;
  /** Below `/__darkmatter__/pools`. */
  readonly route?: readonly ["GET" | "POST" | "DELETE", string];
  readonly input: Input;
  /** What the route takes, where that is less. */
  readonly routeInput?: z.ZodObject;
  run(input: z.output<Input>): Promise<JsonObject>;
}

const act = <Input extends z.ZodObject>(definition: PoolAct<Input>): PoolAct =>
  definition as unknown as PoolAct;

/** @throws BAD_REQUEST, naming the field */
export function inputFrom({ input, routeInput }: PoolAct, given: object): z.output<z.ZodObject> {
  const read = (routeInput ?? input).strict().safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw meshError("BAD_REQUEST", `Invalid field: ${issue?.path.join(".")}: ${issue?.message}`);
}

export const poolActs = (services: Services): PoolAct[] => [
  ...poolsThemselves(services),
  ...providersOf(services),
  ...tokensOf(services),
  ...othersPools(services),
];

function poolsThemselves({ db, pools, changed }: Services): PoolAct[] {
  return [
    act({
      name: "list",
      summary: "The pools this agent shares.",
      reads: true,
      route: ["GET", ""],
      input: z.object({}),
      async run() {
        const all = await pools.all(db);
        const shown = all.map(async (pool) => ({
          ...shownPool(pool),
          provider_count: (await pools.providers(db, pool.poolId)).length,
        }));
        return { success: true, pools: await Promise.all(shown) };
      },
    }),
    act({
      name: "show",
      summary: "A pool with its providers.",
      reads: true,
      route: ["GET", "/:pool_id"],
      input: z.object(inputs.poolId),
      async run({ pool_id: poolId }) {
        const pool = await pools.get(db, poolId);
        const providers = await pools.providers(db, poolId);
        return { success: true, ...shownPool(pool), providers: providers.map(providerFields) };
      },
    }),
    act({
      name: "create",
      summary: "Shares a paid API with other agents.",
      route: ["POST", ""],
      // Without a module: it runs inside the node, and a route is open to every user of the machine.
      routeInput: inputs.created.omit({ handler_module: true }).strict(),
      input: inputs.created,
      run: create,
    }),
    act({
      name: "remove",
      summary: "Ends a pool, with its providers and tokens.",
      route: ["DELETE", "/:pool_id"],
      input: z.object(inputs.poolId),
      async run({ pool_id: poolId }) {
        await db.write((tx) => pools.remove(tx, poolId));
        changed();
        return { success: true, pool_id: poolId };
      },
    }),
    act({
      name: "policy",
      summary: "Who gets balance: who paid for it, or any connected agent up to a limit.",
      route: ["POST", "/:pool_id/policy"],
      input: inputs.policy,
      async run({ pool_id: poolId, policy, max_balance: most }) {
        const openMax = openLimit(policy, most);
        await db.write((tx) => pools.setPolicy(tx, poolId, policy, openMax));
        return { success: true, ...shownPool(await pools.get(db, poolId)) };
      },
    }),
  ];

  async function create(input: z.output<typeof inputs.created>): Promise<JsonObject> {
    const openMax = openLimit(input.policy, input.max_balance);
    const pool = await db.write((tx) =>
      pools.create(tx, {
        name: input.name,
        tags: input.tags,
        description: input.description,
        handlerType: input.handler_type,
        handlerModule: input.handler_module ?? null,
        policy: input.policy,
        openMax,
      }),
    );
    changed();
    return { success: true, ...shownPool(pool) };
  }
}

function openLimit(policy: string, most: number | string | undefined) {
  if (policy === "open" && most === undefined) {
    throw meshError(
      "BAD_REQUEST",
      "An open pool needs max_balance (--max): what each agent may get for nothing in all.",
    );
  }
  return inputs.amountOf(most ?? 0);
}

function providersOf({ db, pools }: Services): PoolAct[] {
  return [
    act({
      name: "add_provider",
      summary: "Adds an API to a pool.",
      route: ["POST", "/:pool_id/providers"],
      input: inputs.provider,
      async run(input) {
        const url = parseUrl(input.base_url);
        const draft = {
          baseUrl: input.base_url,
          privateHost: input.private_host || (typeof url !== "string" && isPrivateHost(url.hostname)),
          credentialHeader: input.credential_header,
          credentialValue: input.credential_value,
          allowedPaths: input.allowed_paths,
          pricePerCall: inputs.amountOf(input.price_per_call),
          priceToken: input.price_token,
          handlerConfig: input.handler_config as JsonObject,
        };
        const provider = await db.write((tx) => pools.addProvider(tx, input.pool_id, draft));
        return { success: true, ...providerFields(provider) };
      },
    }),
    act({
      name: "remove_provider",
      summary: "Takes an API out of a pool.",
      route: ["DELETE", "/:pool_id/providers/:provider_id"],
      input: inputs.providerId,
      async run({ pool_id: poolId, provider_id: providerId }) {
        await db.write((tx) => pools.removeProvider(tx, poolId, providerId));
        return { success: true, pool_id: poolId, provider_id: providerId };
      },
    }),
    act({
      name: "enable_provider",
      summary: "Puts an API of a pool into use, or out of it.",
      route: ["POST", "/:pool_id/providers/:provider_id"],
      input: inputs.switched,
      async run({ pool_id: poolId, provider_id: providerId, enabled }) {
        await db.write((tx) => pools.enableProvider(tx, poolId, providerId, enabled));
        return { success: true, pool_id: poolId, provider_id: providerId, enabled };
      },
    }),
  ];
}

function tokensOf({ db, pools, buying }: Services): PoolAct[] {
  return [
    act({
      name: "tokens",
      summary: "Who may call a pool, and what they have left.",
      reads: true,
      route: ["GET", "/:pool_id/tokens"],
      input: z.object(inputs.poolId),
      async run({ pool_id: poolId }) {
        await pools.get(db, poolId);
        return { success: true, tokens: (await readTokens(db, poolId)).map(shownToken) };
      },
    }),
    act({
      name: "grant",
      summary: "Gives an agent balance for a pool.",
      route: ["POST", "/:pool_id/tokens"],
      input: inputs.granted,
      async run(input) {
        const token = await db.write(async (tx) => {
          const pool = await pools.get(tx, input.pool_id);
          const { consumer_agent_id: consumer, payment_token: mint } = input;
          return buying.grant(tx, { pool, consumer, amount: inputs.amountOf(input.amount), mint });
        });
        if (!token) throw meshError("TOO_MANY", "The pool has as many tokens as it may. Revoke one first.");
        return { success: true, ...shownToken(token) };
      },
    }),
    act({
      name: "revoke",
      summary: "Ends a token; its balance is lost.",
      route: ["DELETE", "/:pool_id/tokens/:token_id"],
      input: inputs.tokenId,
      async run({ pool_id: poolId, token_id: tokenId }) {
        await db.write((tx) => pools.revoke(tx, poolId, tokenId));
        return { success: true, pool_id: poolId, token_id: tokenId, revoked: true };
      },
    }),
  ];
}

function othersPools({ db, connections, consuming }: Services): PoolAct[] {
  const theirs = { peer_words: PEER_WORDS };
  return [
    act({
      name: "info",
      summary: "What a pool of a connected agent offers.",
      reads: true,
      input: inputs.asked,
      async run({ agent_id: agentId, pool_id: poolId }) {
        const peer = await requireConnection(db, connections, agentId);
        return { success: true, pool: await consuming.info(peer, poolId), ...theirs };
      },
    }),
    act({
      name: "buy",
      summary: "Buys balance of a connected agent's pool with what was paid to it.",
      input: inputs.purchase,
      async run({ agent_id: agentId, pool_id: poolId, amount, payment_token: mint }) {
        const peer = await requireConnection(db, connections, agentId);
        const bought = await consuming.buy(peer, poolId, inputs.amountOf(amount), mint);
        return { success: true, bought, ...theirs };
      },
    }),
    act({
      name: "call",
      summary: "Calls an API by a connected agent's pool.",
      input: inputs.called,
      async run({ agent_id: agentId, pool_id: poolId, access_token: tokenId, ...request }) {
        const peer = await requireConnection(db, connections, agentId);
        return {
          success: true,
          answer: await consuming.call(peer, { poolId, tokenId, ...request }),
          ...theirs,
        };
      },
    }),
  ];
}

/** Who may buy is the owner's to see, and no field of the first generation. */
const shownPool = (pool: Pool) => ({
  ...poolFields(pool),
  policy: pool.policy,
  ...(pool.policy === "open" && { max_balance: amountNumber(pool.openMax) }),
});
const shownToken = (token: AccessToken) => ({ ...tokenFields(token), granted_by: token.source });
