import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TaskState } from "@a2a-js/sdk";
import type { Checks } from "../checks.ts";
import { freePorts, type Home, type World } from "../world.ts";
import { answersOf, leave, officialClient } from "./client.ts";
import { requireProven } from "./proof.ts";

const HELPER = resolve(import.meta.dirname, "children/helper.ts");
const ANSWERED_MS = 25_000;

/** A place whose client, when it is started as a helper, is a program of ours. */
async function homeWithHelper(world: World): Promise<Home> {
  const [port = 0] = await freePorts(1);
  const bin = join(world.folder, "bo", "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "claude"), `#!/bin/sh\nexec '${process.execPath}' '${HELPER}' "$@"\n`);
  chmodSync(join(bin, "claude"), 0o755);
  return world.home("bo", port, {
    DARKMATTER_CLIENT: "claude-code",
    DARKMATTER_AGENT_ENABLED: "true",
    PATH: `${bin}:${process.env.PATH ?? ""}`,
  });
}

/** A token that may wake the agent has its messages answered while nobody is there. */
export async function checkHelper({ check }: Checks, world: World): Promise<void> {
  const home = await homeWithHelper(world);
  const node = await world.up(home);
  const clientOf = async (name: string, ...options: readonly string[]) => {
    const { json } = await world.command(home, "a2a", "token", "issue", name, ...options);
    return officialClient(node.url, json.token);
  };
  await check(
    "a2a: a token that may wake has its message answered by a helper of the sleeping agent, another has not",
    async () => {
      const plain = await clientOf("plain");
      const quiet = await leave(plain, "no hurry");
      const waking = await clientOf("waking", "--may-wake");
      const task = await leave(waking, "What do you see?", { wait: true });
      assert.equal(task.status?.state, TaskState.TASK_STATE_COMPLETED);
      assert.deepEqual(answersOf(task), ["A helper read: What do you see?"]);
      await requireProven(world, home, task.artifacts[0]?.artifactId ?? "");
      const { status } = await plain.getTask({ tenant: "", id: quiet.id });
      assert.equal(status?.state, TaskState.TASK_STATE_SUBMITTED);
    },
    ANSWERED_MS,
  );
  await node.stop();
}
