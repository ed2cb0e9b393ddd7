import type { JsonObject } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { plain, rows, visiting } from "./context.ts";
import { hostOf } from "./status.ts";

/** `a2a token …`: who may leave messages with this agent by A2A. */
export function a2aCommands(main: MainOptions): Command[] {
  return [
    {
      name: "a2a token",
      summary: "who may leave messages by A2A: issue a token (shown once), list them, revoke one",
      arguments: [
        { name: "action", required: true, summary: "issue, list or revoke" },
        { name: "name", required: false, summary: "the token's name, such as phone; not for list" },
      ],
      options: [
        { flags: "--ttl <time>", summary: "how long it holds: 12h, 30d; at most 365d (default: 30d)" },
        { flags: "--may-wake", summary: "its messages may wake the agent and go to its helpers" },
      ],
      async run(input) {
        await actionOf(input)(input, main);
        return EXIT_OK;
      },
    },
  ];
}

type Action = (input: CommandInput, main: MainOptions) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = { issue, list, revoke };

/** @throws USAGE */
function actionOf({ args }: CommandInput): Action {
  const { action = "", name } = args;
  const found = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (!found) throw nodeError("USAGE", "Say what to do with tokens: issue, list or revoke.");
  if (found !== list && name === undefined)
    throw nodeError("USAGE", `Name the token: darkmatter a2a token ${action} NAME`);
  return found;
}

async function issue(input: CommandInput, main: MainOptions): Promise<void> {
  const wanted: JsonObject = { name: input.args.name ?? "", may_wake: input.options.mayWake === true };
  if (typeof input.options.ttl === "string") wanted.ttl_seconds = ttlSeconds(input.options.ttl);
  const { result, owner } = await visiting(input, main, "act", async ({ call, owner }) => ({
    result: await call("darkmatter_owner_a2a_issue", wanted),
    owner,
  }));
  const base = owner && owner.port > 0 ? `http://${hostOf(owner.host)}:${owner.port}` : undefined;
  const card = `${base ?? "http://HOST:PORT"}/.well-known/agent-card.json`;
  const human = [
    plain(result.token),
    "",
    `Shown this once. It holds until ${plain(result.expires_at)}; end it: darkmatter a2a token revoke ${plain(result.name)}`,
    `The agent's card: ${card}`,
    ...(base === undefined ? ["No node runs here: start it with `darkmatter up`."] : []),
  ].join("\n");
  input.out.result(human, { ...result, ...(base !== undefined && { card }) });
}

async function list(input: CommandInput, main: MainOptions): Promise<void> {
  const result = await visiting(input, main, "read", ({ call }) => call("darkmatter_owner_a2a_list"));
  const lines = rows(result, "tokens").map(
    (token) =>
      `${plain(token.name).padEnd(40)}  ${token.expired === true ? "expired" : "until"} ${plain(token.expires_at)}` +
      (token.may_wake === true ? "  may wake" : ""),
  );
  const none = "No tokens. Issue one: darkmatter a2a token issue NAME";
  input.out.result(lines.length > 0 ? lines.join("\n") : none, result);
}

async function revoke(input: CommandInput, main: MainOptions): Promise<void> {
  const result = await visiting(input, main, "act", ({ call }) =>
    call("darkmatter_owner_a2a_revoke", { name: input.args.name ?? "" }),
  );
  input.out.result("Revoked. What it had left that still waited is withdrawn.", result);
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** @throws USAGE */
function ttlSeconds(text: string): number {
  const [, count, unit = ""] = /^(\d{1,8})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? 0);
  if (seconds > 0) return seconds;
  throw nodeError("USAGE", "--ttl takes a number and a unit: 90m, 12h or 30d.");
}
