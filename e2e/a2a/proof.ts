import assert from "node:assert/strict";
import { join } from "node:path";
import { pythonMissing } from "../mutations/python-verifier.ts";
import { statusesOf, strangersStatuses } from "../stranger/opinion.ts";
import type { Home, World } from "../world.ts";

/** A message's export verifies, and the verifier in Python, where there is one, says the same phase by phase. */
export async function requireProven(world: World, home: Home, messageId: string): Promise<void> {
  const path = join(world.folder, `${home.name}-${messageId}.json`);
  const exported = await world.command(home, "export", messageId, "-o", path, "--disclose", "all");
  assert.equal(exported.code, 0, JSON.stringify(exported.json));
  const { code, json } = await world.command(home, "verify", path);
  assert.equal(code, 0, JSON.stringify(json));
  assert.equal(json.verdict, "verified");
  if (pythonMissing() === undefined)
    assert.deepEqual(await strangersStatuses([path]), [statusesOf(json.phases)]);
}
