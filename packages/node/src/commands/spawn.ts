import type { JsonObject } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";

/** Helpers that this agent's node starts for messages: what runs, and whether any is started at all. */
export function spawnCommands(main: MainOptions): Command[] {
  return [
    {
      name: "spawn list",
      summary: "helpers started for messages: which run, how the last ones ended, and what limits them",
      arguments: [],
      options: [],
      run: (input) => list(input, main),
    },
    {
      name: "spawn stop",
      summary: "end a helper and everything it started",
      arguments: [{ name: "id", required: true, summary: "its id, such as dg-0123456789ab" }],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "act", ({ call }) =>
          call("darkmatter_owner_spawn_stop", { id: input.args.id ?? "" }),
        );
        input.out.result("Ended.", result);
        return EXIT_OK;
      },
    },
    switching(main, "on"),
    switching(main, "off"),
  ];
}

function switching(main: MainOptions, to: "on" | "off"): Command {
  const on = to === "on";
  return {
    name: `spawn ${to}`,
    summary: on
      ? "start helpers for messages of peers this agent trusts"
      : "start no helpers: messages wait in the inbox",
    arguments: [],
    options: [],
    async run(input) {
      const result = await visiting(input, main, "act", ({ call }) =>
        call("darkmatter_owner_spawn_switch", { on }),
      );
      input.out.result(on ? "Helpers are started again." : "No helper is started from now on.", result);
      return EXIT_OK;
    },
  };
}

async function list(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const result = await visiting(input, main, "read", ({ call }) => call("darkmatter_owner_spawn_list"));
  const helpers = rows(result, "helpers").map(line);
  const human = [
    ...stateLines(result),
    ...(helpers.length > 0 ? ["", ...helpers] : ["No helper was started yet."]),
  ];
  input.out.result(human.join("\n"), result);
  return EXIT_OK;
}

function stateLines(result: JsonObject): string[] {
  const { on, client, command, command_found: found, autonomous } = result;
  if (on !== true) return ["Helpers are off. To start them again: darkmatter spawn on"];
  const limits =
    `at most ${result.max_concurrent} at once and ${result.max_per_hour} an hour, ${result.timeout_seconds} s each, ` +
    `for peers scored ${result.min_trust} or more`;
  return [
    `Helpers are on: ${plain(client)} (${plain(command)}), ${limits}.`,
    ...(found === false
      ? [`${plain(command)} is not there: install it, or name another with DARKMATTER_AGENT_COMMAND.`]
      : []),
    ...(autonomous === true ? ["Their clients ask for no permission (DARKMATTER_AGENT_AUTONOMOUS)."] : []),
  ];
}

function line(helper: JsonObject): string {
  const state = helper.state === "ended" ? plain(helper.outcome) : plain(helper.state);
  const said = helper.last_output === undefined ? "" : `  ${brief(helper.last_output, 60)}`;
  return (
    `${plain(helper.id)}  ${state.padEnd(13)} ${plain(helper.for)} ${brief(helper.subject, 40)}  ` +
    `from ${shortId(helper.peer)}  ${plain(helper.granted_at)}${said}`
  );
}
