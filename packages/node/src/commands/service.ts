import { homedir } from "node:os";
import { join } from "node:path";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { sessionLaunch } from "../adapters/mcp-config.ts";
import type { Agent } from "../adapters/owning.ts";
import { findAgent } from "../doctor/adapters/patient.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import {
  installUnit,
  launchdPlace,
  removeUnit,
  standsInTheWay,
  systemdPlace,
  type UnitPlace,
} from "../service/adapters/unit-files.ts";
import { launchdAgent, systemdUnit, type Unit } from "../service/unit.ts";
import { shellQuoted } from "../setup/skill.ts";
import { owningOptions } from "./context.ts";

const DRY_RUN = { flags: "--dry-run", summary: "show what would be written or removed, and do nothing" };

/** `service install` and `remove`: the user's own, so that nobody needs to be root. */
export function serviceCommands(main: MainOptions): Command[] {
  return [
    {
      name: "service install",
      summary: "run this agent's node whenever you are logged in (systemd, launchd)",
      arguments: [],
      options: [DRY_RUN],
      run: (input) => install(input, main),
    },
    {
      name: "service remove",
      summary: "take back what `service install` did",
      arguments: [],
      options: [DRY_RUN],
      run: (input) => remove(input, main),
    },
  ];
}

interface Service {
  readonly unit: Unit;
  readonly place: UnitPlace;
  readonly start: string;
  readonly logs: string;
  readonly stop: string;
}

async function install(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { unit, place, start, logs, stop } = await serviceOf(input, main);
  const obstacle = standsInTheWay(place);
  if (obstacle) {
    input.out.error(
      `${place.path} is ${obstacle}.`,
      "Nothing was changed. Move it away, then run this again.",
    );
    return EXIT_FAILURE;
  }
  const dryRun = input.options.dryRun === true;
  const change = dryRun ? "would be written" : installUnit(place, unit.text);
  const human = [
    change === "same"
      ? `${place.path} is as it should be.`
      : `${place.path} ${dryRun ? change : "is written"}:`,
    ...(change === "same" ? [] : [unit.text]),
    ...(place.link && !dryRun ? [`It starts at log-in, by ${place.link}`] : []),
    `Start it now:  ${start}`,
    `See its log:   ${logs}`,
    `Stop it:       ${stop}`,
  ];
  input.out.result(human.join("\n"), { file: place.path, change, text: unit.text, start, logs, stop });
  return EXIT_OK;
}

async function remove(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { place, stop } = await serviceOf(input, main);
  const obstacle = standsInTheWay(place);
  if (obstacle) {
    input.out.error(
      `${place.path} is ${obstacle}, which was not made by this program.`,
      "Nothing was changed.",
    );
    return EXIT_FAILURE;
  }
  if (input.options.dryRun) {
    input.out.result(`${place.path} would be removed.`, {
      file: place.path,
      change: "would be removed",
      stop,
    });
    return EXIT_OK;
  }
  const change = removeUnit(place);
  const human =
    change === "absent"
      ? `There was no ${place.path}.`
      : `${place.path} is removed.\nIf it still runs:  ${stop}`;
  input.out.result(human, { file: place.path, change, stop });
  return EXIT_OK;
}

async function serviceOf(input: CommandInput, main: MainOptions): Promise<Service> {
  const found = await findAgent(owningOptions(input, main));
  if ("expected" in found) throw nodeError("NO_NODE", "There is no agent here yet.");
  return process.platform === "darwin" ? launchd(found) : systemd(found);
}

function launchOf(agent: Agent) {
  const { command, args, env } = sessionLaunch(agent);
  return { command, env, args: [...args.slice(0, -1), "up"] };
}

function systemd(agent: Agent): Service {
  const unit = systemdUnit(agent.signer.agentId, launchOf(agent));
  return {
    unit,
    place: systemdPlace(homedir(), process.env, unit.name),
    start: `systemctl --user daemon-reload && systemctl --user start ${unit.name}`,
    logs: `journalctl --user -u ${unit.name} -f`,
    stop: `systemctl --user stop ${unit.name}`,
  };
}

function launchd(agent: Agent): Service {
  const errors = join(agent.places.folder, "service.log");
  const unit = launchdAgent(agent.signer.agentId, launchOf(agent), errors);
  const place = launchdPlace(homedir(), unit.name);
  return {
    unit,
    place,
    start: `launchctl bootstrap "gui/$(id -u)" ${shellQuoted(place.path)}`,
    logs: `tail -f ${shellQuoted(agent.places.log)} ${shellQuoted(errors)}`,
    stop: `launchctl bootout "gui/$(id -u)/${unit.name}"`,
  };
}
