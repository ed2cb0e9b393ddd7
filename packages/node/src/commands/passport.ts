import { resolve } from "node:path";
import { systemRandom } from "@darkmatter/core";
import {
  backUpPassport,
  createSigner,
  findPassport,
  openBackup,
  placePassport,
  readPassport,
} from "@darkmatter/identity";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_OK } from "@darkmatter/surface";
import { passportSearch } from "../adapters/owning.ts";
import { askPassphrase } from "../adapters/passphrase.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { owningOptions } from "./context.ts";

const FILE = { name: "file", required: true, summary: "the backup file" };

/** `passport show`, `backup` and `restore`: none of them needs a node. */
export function passportCommands(main: MainOptions): Command[] {
  return [
    {
      name: "passport show",
      summary: "which key this folder's agent has, and where it lies",
      arguments: [],
      options: [],
      async run(input) {
        const { path, seed } = await present(input, main);
        const agentId = createSigner(seed).agentId;
        input.out.result(`${agentId}\n${path}`, { agent_id: agentId, passport: path });
        return EXIT_OK;
      },
    },
    {
      name: "passport backup",
      summary: "write the key to a file that only its passphrase opens",
      arguments: [FILE],
      options: [],
      async run(input) {
        const { seed } = await present(input, main);
        const file = resolve(input.args.file ?? "");
        if (await nodeFiles.exists(file)) throw nodeError("UNREADABLE_FILE", `${file} exists already.`);
        const text = await backUpPassport(seed, {
          passphrase: await askPassphrase(true),
          random: systemRandom,
        });
        if (!(await nodeFiles.create(file, text)))
          throw nodeError("UNREADABLE_FILE", `${file} exists already.`);
        const agentId = createSigner(seed).agentId;
        input.out.result(`The key of ${agentId} is kept in ${file}. Keep its passphrase elsewhere.`, {
          agent_id: agentId,
          file,
        });
        return EXIT_OK;
      },
    },
    {
      name: "passport restore",
      summary: "put the key of a backup where this folder's passport belongs",
      arguments: [FILE],
      options: [],
      async run(input) {
        const file = resolve(input.args.file ?? "");
        const text = await nodeFiles.read(file);
        if (text === undefined) throw nodeError("UNREADABLE_FILE", `There is no file ${file}.`);
        const seed = await openBackup(text, await askPassphrase(false));
        const path = await passportPlace(input, main);
        const outcome = await placePassport(nodeFiles, path, seed);
        const agentId = createSigner(seed).agentId;
        const done = outcome === "same" ? "was there already" : "is back";
        input.out.result(`The key of ${agentId} ${done}: ${path}`, {
          agent_id: agentId,
          passport: path,
          outcome,
        });
        return EXIT_OK;
      },
    },
  ];
}

async function present(input: CommandInput, main: MainOptions) {
  const { path } = await findPassport(nodeFiles, passportSearch(owningOptions(input, main)));
  return { path, seed: await readPassport(nodeFiles, path) };
}

/** Where the passport belongs, also when the one that was there is gone: that is what a backup is for. */
async function passportPlace(input: CommandInput, main: MainOptions): Promise<string> {
  const search = passportSearch(owningOptions(input, main));
  // With no states to compare with, a missing passport is just a place to put one.
  const { path } = await findPassport(nodeFiles, { ...search, states: resolve(search.states, "none") });
  return path;
}
