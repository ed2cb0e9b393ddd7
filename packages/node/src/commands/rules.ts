import type { JsonObject } from "@darkmatter/core";
import { ROUTER_MODES } from "@darkmatter/mesh/nouns";
import { type Command, type CommandInput, type CommandOption, EXIT_OK } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, textOption, visiting } from "./context.ts";
import { agentNamed } from "./peers.ts";

const RULE = { name: "rule", required: true, summary: "its id, as `rules list` shows it" };
const ACTION = "handle, forward, respond, drop or pass (leave it to the mode)";

const CONDITIONS: readonly CommandOption[] = [
  { flags: "--keyword <text>", summary: "only messages that hold this text, whatever its case" },
  { flags: "--from <agent>", summary: "only messages of this agent: its id or name" },
  { flags: "--key <name>", summary: "only messages whose metadata holds this key" },
  { flags: "--value <text>", summary: "… with this value" },
  { flags: "--to <agents>", summary: "for forward: to whom, separated by commas" },
  { flags: "--say <text>", summary: "for respond: the answer" },
  { flags: "--priority <number>", summary: "higher ones are tried first (default: 0)" },
];

type Call = (name: string, args?: JsonObject) => Promise<JsonObject>;

/** `rules`: what is done with messages before the agent sees them. */
export function rulesCommands(main: MainOptions): Command[] {
  /** A command that changes one rule and shows it. */
  const changing = (
    parts: Pick<Command, "name" | "summary"> & Partial<Command>,
    act: (call: Call, input: CommandInput) => Promise<JsonObject>,
    done: (line: string) => string,
  ): Command => ({
    arguments: [RULE],
    options: [],
    ...parts,
    async run(input) {
      const result = await visiting(input, main, "act", ({ call }) => act(call, input));
      input.out.result(done(ruleLine(result.rule as JsonObject)), result);
      return EXIT_OK;
    },
  });
  const switched = (word: "enable" | "disable", enabled: boolean) =>
    changing(
      { name: `rules ${word}`, summary: enabled ? "let a rule work again" : "keep a rule and let it rest" },
      (call, { args }) => call("darkmatter_owner_rules_edit", { rule_id: args.rule ?? "", enabled }),
      (line) => `Now: ${line}`,
    );

  return [
    {
      name: "rules list",
      summary: "the rules, as they are tried, and what is done with messages they do not decide about",
      arguments: [],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "read", ({ call }) => call("darkmatter_owner_rules_list"));
        input.out.result(listText(result), result);
        return EXIT_OK;
      },
    },
    changing(
      {
        name: "rules add",
        summary: "have something done with messages that hold all the conditions named",
        arguments: [{ name: "action", required: true, summary: ACTION }],
        options: [...CONDITIONS, { flags: "--id <id>", summary: "what to call it (default: r1, r2 …)" }],
        examples: [
          'darkmatter rules add drop --keyword "buy now"',
          'darkmatter rules add respond --key type --value ping --say "pong"',
          "darkmatter rules add forward --from ana --to bo,cy --priority 5",
        ],
      },
      async (call, input) => {
        const given = await fieldsOf(call, input);
        const id = textOption(input.options.id);
        const rule = { ...given, action: input.args.action ?? "", ...(id !== undefined && { rule_id: id }) };
        return call("darkmatter_owner_rules_add", rule);
      },
      (line) => `Added: ${line}`,
    ),
    changing(
      {
        name: "rules edit",
        summary: "change what is named of a rule",
        options: [{ flags: "--action <action>", summary: ACTION }, ...CONDITIONS],
        examples: ["darkmatter rules edit r1 --priority 10", 'darkmatter rules edit r1 --keyword ""'],
      },
      async (call, input) => {
        const action = textOption(input.options.action);
        const changes = { ...(await fieldsOf(call, input)), ...(action !== undefined && { action }) };
        return call("darkmatter_owner_rules_edit", { ...changes, rule_id: input.args.rule ?? "" });
      },
      (line) => `Now: ${line}`,
    ),
    changing(
      { name: "rules remove", summary: "forget a rule" },
      (call, { args }) => call("darkmatter_owner_rules_remove", { rule_id: args.rule ?? "" }),
      (line) => `Removed: ${line}`,
    ),
    switched("enable", true),
    switched("disable", false),
    {
      name: "rules mode",
      summary: "what is done with messages that no rule decides about",
      arguments: [{ name: "mode", required: false, summary: ROUTER_MODES.join(", ") }],
      options: [],
      examples: Object.entries(MODES).map(([mode, meaning]) => `darkmatter rules mode ${mode}   ${meaning}`),
      async run(input) {
        const { mode } = input.args;
        const result = await visiting(input, main, mode === undefined ? "read" : "act", ({ call }) =>
          mode === undefined
            ? call("darkmatter_owner_rules_list")
            : call("darkmatter_owner_rules_mode", { mode }),
        );
        input.out.result(modeText(result), {
          mode: result.mode ?? null,
          mode_fixed: result.mode_fixed ?? null,
        });
        return EXIT_OK;
      },
    },
  ];
}

const MODES: Readonly<Record<(typeof ROUTER_MODES)[number], string>> = {
  spawn: "the agent is woken for them",
  rules_first: "they wait in the inbox",
  rules_only: "they wait in the inbox",
  queue_only: "all messages wait in the inbox; rules rest",
};

/** An empty text takes a condition away. @throws USAGE, NOT_FOUND, AMBIGUOUS */
async function fieldsOf(call: Call, { options }: CommandInput): Promise<JsonObject> {
  const texts = {
    keyword: options.keyword,
    metadata_key: options.key,
    metadata_value: options.value,
    response_text: options.say,
  };
  const fields: JsonObject = {};
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value === "string") fields[name] = value === "" ? null : value;
  }
  const { from, to, priority } = options;
  if (typeof from === "string") fields.from_agent_id = from === "" ? null : await agentNamed(call, from);
  if (typeof to === "string") {
    const named = to.split(",").map((one) => one.trim());
    fields.forward_to = await Promise.all(named.filter(Boolean).map((one) => agentNamed(call, one)));
  }
  if (typeof priority === "string") {
    if (!/^-?\d{1,7}$/.test(priority)) throw nodeError("USAGE", "--priority takes a whole number.");
    fields.priority = Number(priority);
  }
  return fields;
}

function ruleLine(rule: JsonObject): string {
  const { metadata_key: key, metadata_value: value, forward_to: to } = rule;
  const conditions = [
    rule.keyword && `with "${brief(rule.keyword, 60)}"`,
    rule.from_agent_id && `from ${shortId(rule.from_agent_id)}`,
    key && `with metadata ${brief(key, 40)}${value === null ? "" : ` = "${brief(value, 40)}"`}`,
  ].filter(Boolean);
  const targets = rule.action === "forward" && Array.isArray(to) ? ` to ${to.map(shortId).join(", ")}` : "";
  const words = rule.action === "respond" ? ` "${brief(rule.response_text, 60)}"` : "";
  const off = rule.enabled === false ? "  (off)" : "";
  const which = conditions.length > 0 ? `messages ${conditions.join(", ")}` : "every message";
  return `${plain(rule.rule_id)}  priority ${rule.priority}  ${plain(rule.action)}${targets}${words}: ${which}${off}`;
}

function modeText({ mode, mode_fixed: fixed }: JsonObject): string {
  const meaning = Object.entries(MODES).find(([name]) => name === mode)?.[1] ?? "";
  return `Mode ${plain(mode)}: ${meaning}.${fixed === true ? " DARKMATTER_ROUTER_MODE decides it, whatever is chosen here." : ""}`;
}

function listText(result: JsonObject): string {
  const rules = rows(result, "rules").toSorted((a, b) => Number(b.priority) - Number(a.priority));
  const custom = Number(result.custom_routers);
  return [
    ...(custom > 0
      ? [
          `${custom} router(s) of DARKMATTER_ROUTER are asked first${result.custom_replaces ? ", and nothing after them" : ""}.`,
        ]
      : []),
    ...(rules.length > 0
      ? rules.map(ruleLine)
      : ['No rules. Add one: darkmatter rules add drop --keyword "buy now"']),
    "",
    modeText(result),
  ].join("\n");
}
