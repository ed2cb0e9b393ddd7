import { createPrivateKey, createPublicKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { statesOf } from "../places.ts";

const PKCS8_PREFIX = "302e020100300506032b657004220420";
const PUBLIC_KEY_BYTES = 32;

/** What of the environment says where things lie. */
export interface Whereabouts {
  readonly home?: string | undefined;
  readonly passport?: string | undefined;
}

/** `--home`, else `DARKMATTER_HOME`, else `~/.darkmatter`; absolute. */
export function homeFolder(given: Whereabouts, env: NodeJS.ProcessEnv): string {
  return resolve(given.home || env.DARKMATTER_HOME || join(homedir(), ".darkmatter"));
}

/** `--passport`, else `DARKMATTER_PASSPORT`; absolute. Without it the nearest ancestor's is meant. */
export function namedPassport(given: Whereabouts, env: NodeJS.ProcessEnv): string | undefined {
  const named = given.passport || env.DARKMATTER_PASSPORT;
  return named ? resolve(named) : undefined;
}

/**
 * The agent id of the passport a session would use, found with nothing imported; `undefined` when there is none, or
 * it cannot be read, or one that was in use is gone: all of that is for identity's own search to explain.
 */
export function peekAgentId(named: string | undefined, cwd: string, home: string): string | undefined {
  const text = named === undefined ? nearestPassport(cwd, statesOf(home)) : readText(named);
  const seed = text?.trim() ?? "";
  if (!/^[0-9a-fA-F]{64}$/.test(seed)) return undefined;
  const key = createPrivateKey({
    key: Buffer.from(PKCS8_PREFIX + seed, "hex"),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return spki.subarray(-PUBLIC_KEY_BYTES).toString("hex");
}

function nearestPassport(cwd: string, states: string): string | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, ".darkmatter", "passport.key");
    const text = readText(path);
    if (text !== undefined) return text;
    if (dirname(folder) === folder || wasInUse(path, states)) return undefined;
  }
}

/** Whether some agent's state notes this passport as its own (identity's `rememberPassport`). */
function wasInUse(path: string, states: string): boolean {
  return agentsIn(states).some(
    (agentId) => readText(join(states, agentId, "passport.path"))?.trim() === path,
  );
}

function agentsIn(states: string): readonly string[] {
  try {
    return readdirSync(states);
  } catch {
    // Nobody has run here yet.
    return [];
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Absent or unreadable: the full search says which.
    return undefined;
  }
}
