import assert from "node:assert/strict";
import type { CommandResult, Home, World } from "../world.ts";

/** A command that must do what it is told; its result as JSON. */
export async function commanded(
  world: World,
  home: Home,
  ...argv: readonly string[]
): Promise<CommandResult["json"]> {
  const { code, json, stderr } = await world.command(home, ...argv);
  assert.equal(code, 0, `darkmatter ${argv.join(" ")}: ${JSON.stringify(json) ?? stderr}`);
  return json;
}
