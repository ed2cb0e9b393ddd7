import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** What a module of the owner exports by default. */
export async function importDefault(path: string): Promise<unknown> {
  const { default: value } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  return value;
}
