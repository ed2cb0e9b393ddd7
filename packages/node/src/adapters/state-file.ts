import { join } from "node:path";
import { hasCode, reasonOf } from "@darkmatter/core";
import { type Database, nodeFiles, type Read } from "@darkmatter/store";
import type { Layer } from "../assembly.ts";
import { nodeError } from "../errors.ts";
import { statesOf } from "../places.ts";

/** Where the JSON state file lies (mesh.md 16): `DARKMATTER_STATE_FILE`, else beside the agent's folder. */
export function stateFilePath(home: string, agentId: string, named: string | undefined): string {
  return named ?? join(statesOf(home), `${agentId}.json`);
}

/** Takes the file over at the first start. @throws STATE_FILE, with the file's name, for one that cannot be used */
export async function readStateOnce(db: Database, { stateFiles }: Layer, path: string): Promise<void> {
  if (await stateFiles.wasRead(db)) return;
  const text = await nodeFiles.read(path);
  if (text === undefined) return db.write((tx) => stateFiles.skip(tx));
  await loadState(db, { stateFiles }, path, text);
}

export async function loadState(
  db: Database,
  { stateFiles }: Pick<Layer, "stateFiles">,
  path: string,
  text: string,
): Promise<void> {
  try {
    await db.write((tx) => stateFiles.load(tx, text));
  } catch (error) {
    if (!hasCode(error, "STATE_FILE")) throw error;
    throw nodeError("STATE_FILE_REFUSED", `The state file ${path} cannot be used: ${reasonOf(error)}`, error);
  }
}

/**
 * Writes the state to the file, whole or not at all. One that is there and is no state of this agent is never
 * overwritten. @throws STATE_FILE_KEPT
 */
export async function writeState(
  db: Read,
  { stateFiles }: Pick<Layer, "stateFiles">,
  path: string,
  agentId: string,
): Promise<void> {
  const present = await nodeFiles.read(path);
  if (present !== undefined && !(await isState(present, agentId))) {
    throw nodeError("STATE_FILE_KEPT", `${path} is not this agent's state file, so it is left as it is.`);
  }
  await nodeFiles.replace(path, await stateFiles.write(db));
}

async function isState(text: string, agentId: string): Promise<boolean> {
  const { parseStateFile } = await import("@darkmatter/mesh");
  try {
    parseStateFile(text, agentId);
    return true;
  } catch {
    // Whatever is wrong with it, it is not ours to replace.
    return false;
  }
}
