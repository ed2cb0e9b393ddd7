import { join } from "node:path";
import { AgentId, type Files } from "@darkmatter/core";
import { identityError } from "./errors.ts";

/** Beside an agent's state: the path of the passport it was last started with. */
export const PASSPORT_NOTE = "passport.path";

/** Notes in an agent's state where its passport lies, so that a lost key is noticed and never replaced. */
export async function rememberPassport(
  files: Files,
  passport: { readonly states: string; readonly agentId: string; readonly path: string },
): Promise<void> {
  const note = join(passport.states, passport.agentId, PASSPORT_NOTE);
  const text = `${passport.path}\n`;
  if ((await files.read(note)) !== text) await files.replace(note, text);
}

/**
 * Refuses when an agent whose state lies under `states` was last started with the passport at `path`: to be asked
 * when nothing is at `path`, before anything is put there. @throws PASSPORT_GONE
 */
export async function checkGone(files: Files, states: string, path: string): Promise<void> {
  for (const agentId of await files.list(states)) {
    // JSON state files lie among the agents' folders.
    if (!AgentId.safeParse(agentId).success) continue;
    const note = await files.read(join(states, agentId, PASSPORT_NOTE));
    if (note?.trim() !== path) continue;
    throw identityError(
      "PASSPORT_GONE",
      `The passport ${path} is gone, but the state of its agent ${agentId} exists. Put the file back or restore a ` +
        `backup there; to begin as a new agent instead, delete ${join(states, agentId, PASSPORT_NOTE)}.`,
    );
  }
}
