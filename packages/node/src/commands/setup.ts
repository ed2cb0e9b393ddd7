import { homedir } from "node:os";
import { findPassport } from "@darkmatter/identity";
import { CLIENTS } from "@darkmatter/mesh/nouns";
import { nodeFiles } from "@darkmatter/store";
import {
  type Command,
  type CommandInput,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  type ExitCode,
} from "@darkmatter/surface";
import { agreed } from "../adapters/confirm.ts";
import { sessionLaunch } from "../adapters/mcp-config.ts";
import { passportSearch } from "../adapters/owning.ts";
import { homeFolder } from "../adapters/passport-peek.ts";
import type { MainOptions } from "../main-options.ts";
import { backupOf } from "../setup/adapters/client-files.ts";
import { readSetUpRecord, type SetUpFile, writeSetUpRecord } from "../setup/adapters/set-up-record.ts";
import { type ClientName, type Launch, type Target, targets } from "../setup/client.ts";
import { lineDiff } from "../setup/line-diff.ts";
import { fileOf, isFound, type Plan, planSetUp, planUndo, tryOut } from "../setup/set-up.ts";
import { owningOptions } from "./context.ts";

const CLIENT = {
  name: "client...",
  required: false,
  summary: `of ${CLIENTS.join(", ")}; all that are found`,
};

export function setupCommand(main: MainOptions): Command {
  return {
    name: "setup",
    summary: "put this agent into the configuration of the MCP clients on this machine",
    arguments: [CLIENT],
    options: [
      { flags: "--dry-run", summary: "show what would change, and change nothing" },
      { flags: "--undo", summary: "take out what was put in" },
      { flags: "-y, --yes", summary: "do not ask first" },
    ],
    run: (input) => setup(input, main),
  };
}

async function setup(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { options, out } = input;
  const wanted = input.lists.client ?? [];
  const unknown = wanted.filter((name) => !(CLIENTS as readonly string[]).includes(name));
  if (unknown.length > 0) {
    out.error(`There is no client ${unknown.join(", ")}.`, `Known are: ${CLIENTS.join(", ")}.`);
    return EXIT_USAGE;
  }
  const home = homeFolder(owningOptions(input, main), process.env);
  const record = await readSetUpRecord(home);
  const all = targets({ user: homedir(), env: process.env });
  const plans = options.undo
    ? undoing(all, wanted, record)
    : settingUp(all, wanted, record, await launchOf(input, main, home));
  if (plans.length === 0) {
    out.result(nobodyHere(all, options.undo === true), { clients: [] });
    return options.undo ? EXIT_OK : EXIT_FAILURE;
  }
  if (options.dryRun) return tell(input, plans, "would");
  const writes = plans.filter(({ action }) => action !== "same" && action !== "refuse");
  if (writes.length > 0 && !options.yes && !input.json) {
    const lines = writes.map((plan) => sentence(plan, "would"));
    if (
      !(await agreed(lines, `Write ${writes.length === 1 ? "this file" : `these ${writes.length} files`}?`))
    ) {
      out.error("Nothing was written.");
      return EXIT_FAILURE;
    }
  }
  const done = plans.map(tryOut);
  const kept = record.filter(({ path }) => !plans.some((plan) => plan.path === path));
  const now = done.flatMap(({ plan, record: after }) => {
    const left = plan.action === "refuse" || (plan.action === "same" && !options.undo);
    return (left ? record.find(({ path }) => path === plan.path) : after) ?? [];
  });
  if (kept.length + now.length > 0 || record.length > 0) await writeSetUpRecord(home, [...kept, ...now]);
  return tell(
    input,
    done.map(({ plan }) => plan),
    "done",
  );
}

/** Named clients whether or not they are found; otherwise those that are. */
function settingUp(
  all: readonly Target[],
  wanted: readonly string[],
  record: readonly SetUpFile[],
  launch: Launch,
): Plan[] {
  return chosen(all, wanted).map((target) => {
    const plan = planSetUp(target, launch, undefined);
    const earlier = record.find(({ path }) => path === plan.path);
    return earlier ? planSetUp(target, launch, earlier) : plan;
  });
}

function chosen(all: readonly Target[], wanted: readonly string[]): Target[] {
  if (wanted.length === 0) return all.filter(isFound);
  return wanted.flatMap((name) => {
    const mine = all.filter(({ client }) => client === name);
    const found = mine.filter(isFound);
    return found.length > 0 ? found : mine.slice(0, 1);
  });
}

/** What the record names, and what stands in the clients' files without one. */
function undoing(all: readonly Target[], wanted: readonly string[], record: readonly SetUpFile[]): Plan[] {
  const isWanted = ({ client }: { client: string }) => wanted.length === 0 || wanted.includes(client);
  const recorded = record.filter(isWanted).flatMap((file) => {
    const target = all.find(({ client }) => client === file.client);
    return target ? [planUndo(target, file)] : [];
  });
  const others = all.filter((target) => isWanted(target)).map((target) => planUndo(target, undefined));
  const more = others.filter(
    ({ path, action }) =>
      action !== "same" && action !== "refuse" && !recorded.some((one) => one.path === path),
  );
  return [...recorded, ...more];
}

/** Nothing is made for it: the first session makes the passport where there is none. */
async function launchOf(input: CommandInput, main: MainOptions, home: string): Promise<Launch> {
  const { path } = await findPassport(nodeFiles, passportSearch(owningOptions(input, main)));
  return sessionLaunch({ passportPath: path, home });
}

function tell({ out }: CommandInput, plans: readonly Plan[], mode: "would" | "done"): ExitCode {
  const lines = plans.flatMap((plan) => [
    sentence(plan, mode),
    ...(mode === "would" && plan.action !== "refuse" ? lineDiff(plan.before ?? "", plan.after ?? "") : []),
  ]);
  const refused = plans.some(({ action }) => action === "refuse");
  const restart = mode === "done" && plans.some(({ action }) => action !== "same" && action !== "refuse");
  out.result(
    [...lines, ...(restart ? ["Restart the clients named above: they read this when they start."] : [])].join(
      "\n",
    ),
    {
      dry_run: mode === "would",
      clients: plans.map(({ target, path, action, reason }) => ({
        client: target.client,
        file: path,
        action,
        ...(reason && { reason }),
      })),
    },
  );
  return refused ? EXIT_FAILURE : EXIT_OK;
}

const WORDS: Readonly<Record<Exclude<Plan["action"], "refuse">, readonly [would: string, done: string]>> = {
  create: ["would be made", "made"],
  add: ["would get the entry", "got the entry"],
  change: ["would have its entry brought up to date", "had its entry brought up to date"],
  same: ["stays as it is", "is as it should be: nothing written"],
  remove: ["would lose the entry", "lost the entry; all else stays"],
  restore: ["would be put back as it was", "is back as it was"],
  delete: ["would be removed: it was made by setup", "removed: it was made by setup"],
};

function sentence(
  { target, path, action, reason, keepBackup, before }: Plan,
  mode: "would" | "done",
): string {
  const name = target.client.padEnd(CLIENT_WIDTH);
  if (action === "refuse")
    return `${name} ${path} left alone: ${reason}.\n${" ".repeat(CLIENT_WIDTH)} Repair it (or write the entry yourself: darkmatter up shows it), then run this again.`;
  const backup =
    mode === "done" && keepBackup && before !== undefined && (action === "add" || action === "change")
      ? ` (before: ${backupOf(path)})`
      : "";
  return `${name} ${path} ${WORDS[action][mode === "would" ? 0 : 1]}${backup}`;
}

const CLIENT_WIDTH = Math.max(...CLIENTS.map((name) => name.length));

function nobodyHere(all: readonly Target[], isUndo: boolean): string {
  if (isUndo) return "Nothing of setup is left on this machine.";
  const looked = all.map((target) => `  ${target.client.padEnd(CLIENT_WIDTH)} ${target.traces.join(" or ")}`);
  const first: ClientName = "claude-code";
  return [
    "No MCP client was found. Looked for:",
    ...looked,
    `Name one to write its file all the same: darkmatter setup ${first}. Any other client: paste what \`darkmatter up\` prints.`,
    `(It would write ${fileOf(all[0] as Target)}.)`,
  ].join("\n");
}
