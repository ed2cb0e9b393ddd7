import { join } from "node:path";
import { firstLine } from "./first-line.ts";
import { startChild } from "./home.ts";

/** Starts one of the least possible programs (`bench/children/`): what ours is measured beside. */
export async function startBare(name: string, args: readonly string[] = []) {
  const script = join(import.meta.dirname, "..", "children", name);
  const child = startChild(script, args, { stdio: ["ignore", "pipe", "inherit"] });
  const { url } = await firstLine<{ url: string }>(child);
  return { child, url, pid: child.pid ?? 0 };
}
