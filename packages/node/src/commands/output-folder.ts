import { dirname } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { nodeError } from "../errors.ts";

/** Before anything is made for a file: a folder that was mistyped is not made. @throws UNREADABLE_FILE */
export async function requireFolder(file: string): Promise<void> {
  const folder = dirname(file);
  if (!(await nodeFiles.exists(folder))) throw nodeError("UNREADABLE_FILE", `There is no folder ${folder}.`);
}
