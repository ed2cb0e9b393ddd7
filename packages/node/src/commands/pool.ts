import { resolve } from "node:path";
import { isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";
import {
  type Command,
  type CommandArgument,
  type CommandInput,
  type CommandOption,
  EXIT_OK,
} from "@darkmatter/surface";
import { readCredential } from "../adapters/credential.ts";
import type { Visit } from "../adapters/visit.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, textOption, visiting } from "./context.ts";
import { agentNamed } from "./peers.ts";

const POOL: CommandArgument = { name: "pool", required: true, summary: "the pool's id, or its name" };
const PEER: CommandArgument = { name: "agent", required: true, summary: "a connected agent: its id or name" };
const THEIRS: CommandArgument = { name: "pool", required: true, summary: "the id of that agent's pool" };
const PAID_IN: CommandOption = { flags: "--token <token>", summary: "what is paid in", default: "SOL" };

interface Subcommand {
  readonly name: string;
  readonly summary: string;
  readonly purpose?: "read";
  readonly arguments?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  run(input: CommandInput, visit: Visit): Promise<JsonObject>;
  /** For a person. */
  human(result: JsonObject): string;
}

/** `pool …`: paid APIs shared with other agents, and using theirs. */
export const poolCommands = (main: MainOptions): Command[] =>
  [...OWN, ...PROVIDERS, ...TOKENS, ...OTHERS].map((one) => ({
    name: `pool ${one.name}`,
    summary: one.summary,
    arguments: one.arguments ?? [],
    options: one.options ?? [],
    async run(input) {
      const result = await visiting(input, main, one.purpose ?? "act", (visit) => one.run(input, visit));
      input.out.result(one.human(result), result);
      return EXIT_OK;
    },
  }));

const owner = ({ call }: Visit, name: string, input: JsonObject = {}) =>
  call(`darkmatter_owner_pool_${name}`, input);

/** @throws NOT_FOUND by the tool that is called next */
async function poolNamed(visit: Visit, wanted: string): Promise<string> {
  const pools = rows(await owner(visit, "list"), "pools");
  const named = pools.filter(({ name, pool_id: id }) => name === wanted || id === wanted);
  return named.length === 1 ? String(named[0]?.pool_id) : wanted;
}

const words = (text: string) =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);

const OWN: readonly Subcommand[] = [
  {
    name: "create",
    summary: "share a paid API with other agents; then add a provider",
    arguments: [{ name: "name", required: true, summary: 'what others see, such as "LLM pool"' }],
    options: [
      {
        flags: "--tags <tags>",
        summary: "by which it is found, with commas: pool:llm,pool:openai",
        default: "pool",
      },
      { flags: "--description <text>", summary: "what it is", default: "" },
      {
        flags: "--handler <type>",
        summary: "passthrough (one price a call), openai (by tokens), or your own",
        default: "passthrough",
      },
      { flags: "--handler-module <file>", summary: "a module whose default export is your own handler" },
      {
        flags: "--open <amount>",
        summary: "any connected agent gets this much in all for nothing (default: who paid)",
      },
    ],
    run: async ({ args, options }, visit) =>
      owner(visit, "create", {
        name: args.name ?? "",
        tags: words(String(options.tags)),
        description: String(options.description),
        handler_type: String(options.handler),
        ...(typeof options.handlerModule === "string" && { handler_module: resolve(options.handlerModule) }),
        ...(typeof options.open === "string" && { policy: "open", max_balance: options.open }),
      }),
    human: (pool) =>
      `Created ${plain(pool.pool_id)}.\nNext: darkmatter pool add-provider ${plain(pool.pool_id)} URL --paths /v1 --price 0.01 --credential-file FILE`,
  },
  {
    name: "list",
    summary: "the pools this agent shares",
    purpose: "read",
    run: (_input, visit) => owner(visit, "list"),
    human(result) {
      const lines = rows(result, "pools").map(
        (pool) =>
          `${plain(pool.pool_id)}  ${brief(pool.name, 30).padEnd(30)}  ${pool.provider_count} providers, ${plain(pool.policy)}`,
      );
      return lines.length > 0 ? lines.join("\n") : "No pools. Share an API: darkmatter pool create NAME";
    },
  },
  {
    name: "show",
    summary: "a pool with its providers",
    purpose: "read",
    arguments: [POOL],
    run: async ({ args }, visit) =>
      owner(visit, "show", { pool_id: await poolNamed(visit, args.pool ?? "") }),
    human: (pool) =>
      [
        `${plain(pool.pool_id)}  ${brief(pool.name, 100)}  (${plain(pool.handler_type)}, ${plain(pool.policy)})`,
        ...rows(pool, "providers").map(
          (one) =>
            `  ${plain(one.provider_id)}  ${plain(one.base_url)}  ${(one.allowed_paths as string[]).join(" ")}  ` +
            `${one.price_per_call} ${plain(one.price_token)} a call, ${one.calls_served} served, ${one.failures} failed` +
            (one.enabled ? "" : "  OFF"),
        ),
      ].join("\n"),
  },
  {
    name: "policy",
    summary: "who gets balance: paid (who paid for it) or open (any connected agent)",
    arguments: [POOL, { name: "policy", required: true, summary: "paid or open" }],
    options: [{ flags: "--max <amount>", summary: "open: what each agent gets for nothing in all" }],
    run: async ({ args, options }, visit) =>
      owner(visit, "policy", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        policy: args.policy ?? "",
        ...(typeof options.max === "string" && { max_balance: options.max }),
      }),
    human: (pool) => `${brief(pool.name, 100)} is ${plain(pool.policy)} now.`,
  },
  {
    name: "remove",
    summary: "end a pool, with its providers and all balances",
    arguments: [POOL],
    run: async ({ args }, visit) =>
      owner(visit, "remove", { pool_id: await poolNamed(visit, args.pool ?? "") }),
    human: () => "Removed.",
  },
];

const PROVIDERS: readonly Subcommand[] = [
  {
    name: "add-provider",
    summary: "add an API to a pool; its credential stays in this agent's database",
    arguments: [
      POOL,
      { name: "url", required: true, summary: "the API's base URL: https://api.example.com" },
    ],
    options: [
      { flags: "--paths <paths>", summary: "what consumers may call, with commas: /v1/chat,/v1/models" },
      { flags: "--price <amount>", summary: "for each call", default: "0" },
      PAID_IN,
      {
        flags: "--credential-header <name>",
        summary: "the header that carries the credential",
        default: "Authorization",
      },
      {
        flags: "--credential-file <file>",
        summary: "a file with its whole value, such as Bearer sk-…; - reads stdin",
      },
      { flags: "--credential-env <name>", summary: "an environment variable with its whole value" },
      { flags: "--private", summary: "the host's name leads to an address in your own network" },
      {
        flags: "--config <json>",
        summary: 'settings of the handler, such as {"price_per_1k_prompt_tokens": 0.001}',
      },
    ],
    async run({ args, options }, visit) {
      const source = {
        file: textOption(options.credentialFile),
        variable: textOption(options.credentialEnv),
      };
      return owner(visit, "add_provider", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        base_url: args.url ?? "",
        private_host: options.private === true,
        credential_header: String(options.credentialHeader),
        credential_value: await readCredential(source),
        allowed_paths: pathsOf(options.paths),
        price_per_call: String(options.price),
        price_token: String(options.token),
        handler_config: configOf(options.config),
      });
    },
    human: (provider) => `Added ${plain(provider.provider_id)}.`,
  },
  {
    name: "remove-provider",
    summary: "take an API out of a pool",
    arguments: [POOL, { name: "provider", required: true, summary: "its id" }],
    run: async ({ args }, visit) =>
      owner(visit, "remove_provider", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        provider_id: args.provider ?? "",
      }),
    human: () => "Removed.",
  },
  {
    name: "enable-provider",
    summary: "put an API of a pool into use, or with --off out of it",
    arguments: [POOL, { name: "provider", required: true, summary: "its id" }],
    options: [{ flags: "--off", summary: "out of use" }],
    run: async ({ args, options }, visit) =>
      owner(visit, "enable_provider", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        provider_id: args.provider ?? "",
        enabled: options.off !== true,
      }),
    human: ({ enabled }) => (enabled ? "In use." : "Out of use."),
  },
];

/** @throws USAGE */
function pathsOf(given: string | boolean | undefined): string[] {
  if (typeof given === "string" && words(given).length > 0) return words(given);
  throw nodeError("USAGE", "Say what consumers may call: --paths /v1/chat,/v1/models");
}

/** @throws USAGE */
function configOf(given: string | boolean | undefined): JsonObject {
  if (typeof given !== "string") return {};
  const value = parseJson(given);
  if (isJsonObject(value)) return value;
  throw nodeError("USAGE", "--config takes a JSON object.");
}

const TOKENS: readonly Subcommand[] = [
  {
    name: "tokens",
    summary: "who may call a pool, and what they have left",
    purpose: "read",
    arguments: [POOL],
    run: async ({ args }, visit) =>
      owner(visit, "tokens", { pool_id: await poolNamed(visit, args.pool ?? "") }),
    human(result) {
      const lines = rows(result, "tokens").map(
        (token) =>
          `${plain(token.token_id)}  ${shortId(token.consumer_agent_id)}  ${token.balance} ${plain(token.token_mint)} left, ` +
          `${token.total_spent} spent, ${token.calls_made} calls${token.revoked ? "  REVOKED" : ""}`,
      );
      return lines.length > 0
        ? lines.join("\n")
        : "No tokens. Give one: darkmatter pool grant POOL AGENT AMOUNT";
    },
  },
  {
    name: "grant",
    summary: "give an agent balance; tell it the token",
    arguments: [POOL, PEER, { name: "amount", required: true, summary: "such as 0.5" }],
    options: [PAID_IN],
    run: async ({ args, options }, visit) =>
      owner(visit, "grant", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        consumer_agent_id: await agentNamed(visit.call, args.agent ?? ""),
        amount: args.amount ?? "",
        payment_token: String(options.token),
      }),
    human: (token) =>
      `${plain(token.token_id)}\nWho holds it spends ${token.balance} ${plain(token.token_mint)}: ` +
      "darkmatter pool call AGENT POOL METHOD PATH --access-token TOKEN",
  },
  {
    name: "revoke",
    summary: "end a token; its balance is lost",
    arguments: [POOL, { name: "token", required: true, summary: "the token" }],
    run: async ({ args }, visit) =>
      owner(visit, "revoke", {
        pool_id: await poolNamed(visit, args.pool ?? ""),
        token_id: args.token ?? "",
      }),
    human: () => "Revoked.",
  },
];

const OTHERS: readonly Subcommand[] = [
  {
    name: "info",
    summary: "what a pool of a connected agent offers",
    arguments: [PEER, THEIRS],
    run: async ({ args }, visit) =>
      owner(visit, "info", {
        agent_id: await agentNamed(visit.call, args.agent ?? ""),
        pool_id: args.pool ?? "",
      }),
    human: ({ pool }) => plain(JSON.stringify(pool, null, 2)),
  },
  {
    name: "buy",
    summary: "turn what you paid an agent into balance for its pool; the token is kept",
    arguments: [PEER, THEIRS, { name: "amount", required: true, summary: "such as 0.5" }],
    options: [PAID_IN],
    run: async ({ args, options }, visit) =>
      owner(visit, "buy", {
        agent_id: await agentNamed(visit.call, args.agent ?? ""),
        pool_id: args.pool ?? "",
        amount: args.amount ?? "",
        payment_token: String(options.token),
      }),
    human: ({ bought }) =>
      isJsonObject(bought ?? null)
        ? `Bought. Balance: ${Number((bought as JsonObject).balance)} ${plain((bought as JsonObject).payment_token)}`
        : "Bought.",
  },
  {
    name: "call",
    summary: "call an API by an agent's pool, with the token bought last",
    arguments: [
      PEER,
      THEIRS,
      { name: "method", required: true, summary: "GET, POST …" },
      { name: "path", required: true, summary: "such as /v1/models" },
    ],
    options: [
      { flags: "--body <text>", summary: "the request's body" },
      { flags: "--type <type>", summary: "the body's content type", default: "application/json" },
      { flags: "--access-token <token>", summary: "another token than the one kept" },
    ],
    run: async ({ args, options }, visit) =>
      owner(visit, "call", {
        agent_id: await agentNamed(visit.call, args.agent ?? ""),
        pool_id: args.pool ?? "",
        method: args.method ?? "GET",
        path: args.path ?? "",
        ...(typeof options.body === "string" && {
          body: options.body,
          headers: { "content-type": String(options.type) },
        }),
        ...(typeof options.accessToken === "string" && { access_token: options.accessToken }),
      }),
    human: ({ answer }) => answerText(answer as JsonObject),
  },
];

function answerText({
  status_code: status,
  body_b64: body,
  streamed,
  balance_remaining: left,
}: JsonObject): string {
  const text = typeof body === "string" ? Buffer.from(body, "base64").toString("utf8") : plain(streamed);
  return [`HTTP ${Number(status)}${left === undefined ? "" : `, ${Number(left)} left`}`, plain(text)].join(
    "\n",
  );
}
