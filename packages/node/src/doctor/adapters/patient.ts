import { constants, statSync } from "node:fs";
import { createSigner, findPassport, readPassport } from "@darkmatter/identity";
import { nodeFiles } from "@darkmatter/store";
import { programPath } from "../../adapters/mcp-config.ts";
import { type Agent, type OwningOptions, passportSearch } from "../../adapters/owning.ts";
import { homeFolder } from "../../adapters/passport-peek.ts";
import { socketPlace } from "../../adapters/socket-place.ts";
import { placesOf } from "../../places.ts";
import { shellQuoted } from "../../setup/skill.ts";

/** What a command line begins with, to act for the same agent from anywhere. */
export interface Typing {
  /** `up` as it is to be typed. */
  command(name: string, env?: string): string;
}

export function typing(options: OwningOptions): Typing {
  const program = [process.execPath, programPath()].map(shellQuoted).join(" ");
  const where = [
    ...(options.home ? ["--home", shellQuoted(homeFolder(options, process.env))] : []),
    ...(options.passport ? ["--passport", shellQuoted(options.passport)] : []),
  ];
  return { command: (name, env) => [...(env ? [env] : []), program, name, ...where].join(" ") };
}

/** The agent a command means, found without making or writing anything. @throws PASSPORT_* */
export async function findAgent(options: OwningOptions): Promise<Agent | { readonly expected: string }> {
  const { path, exists } = await findPassport(nodeFiles, passportSearch(options));
  if (!exists) return { expected: path };
  const signer = createSigner(await readPassport(nodeFiles, path));
  const home = homeFolder(options, process.env);
  const places = placesOf(home, signer.agentId);
  return { signer, passportPath: path, home, places, socket: socketPlace(places.folder) };
}

/** Which of the permissions of group and others a file grants; 0 where the system knows none. */
export function openTo(path: string): number {
  if (process.platform === "win32") return 0;
  return statSync(path).mode & (constants.S_IRWXG | constants.S_IRWXO);
}
