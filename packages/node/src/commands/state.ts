import { resolve } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { tryAcquire } from "../adapters/owner-lock.ts";
import { openAgent } from "../adapters/owning.ts";
import { loadState, stateFilePath, writeState } from "../adapters/state-file.ts";
import { openLayer } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { owningOptions } from "./context.ts";

const FILE = { name: "file", required: false, summary: "default: where the node itself writes it" };

/** The JSON state file of the first generation, in and out. */
export function stateCommands(main: MainOptions): Command[] {
  return [
    {
      name: "state export",
      summary: "write the state as the JSON file older nodes read",
      arguments: [FILE],
      options: [],
      run: (input) => exportState(input, main),
    },
    {
      name: "state import",
      summary: "take over the JSON state file of an older node",
      arguments: [FILE],
      options: [{ flags: "--skip", summary: "start without it instead, and leave it as it is" }],
      run: (input) => importState(input, main),
    },
  ];
}

async function target(input: CommandInput, main: MainOptions) {
  const options = owningOptions(input, main);
  const agent = await openAgent(options);
  const { agentId } = agent.signer;
  const { file } = input.args;
  const path =
    file === undefined
      ? stateFilePath(agent.home, agentId, parseConfig(process.env).stateFile)
      : resolve(file);
  return { options, agent, agentId, path };
}

async function exportState(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { options, agent, agentId, path } = await target(input, main);
  await using undo = new AsyncDisposableStack();
  const { db, layer } = await openLayer(options, agent, "read", undo);
  await writeState(db, layer, path, agentId);
  input.out.result(`The state is in ${path}.`, { agent_id: agentId, file: path });
  return EXIT_OK;
}

async function importState(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { options, agent, agentId, path } = await target(input, main);
  const skip = input.options.skip === true;
  await using undo = new AsyncDisposableStack();
  const attempt = await tryAcquire(agent.places.lock);
  if (attempt.kind === "unusable") throw nodeError(attempt.trouble);
  if (attempt.kind === "busy") throw nodeError("NODE_RUNS");
  undo.defer(() => attempt.lock.release());
  const { db, layer } = await openLayer(options, agent, "write", undo);
  if (skip) {
    await db.write((tx) => layer.stateFiles.skip(tx));
    input.out.result(`The node will start without ${path}.`, { agent_id: agentId, skipped: true });
    return EXIT_OK;
  }
  const text = await nodeFiles.read(path);
  if (text === undefined) throw nodeError("UNREADABLE_FILE", `There is no file ${path}.`);
  await loadState(db, layer, path, text);
  input.out.result(`Took over ${path}.`, { agent_id: agentId, file: path });
  return EXIT_OK;
}
