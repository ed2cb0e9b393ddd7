import { type Random, sha256Hex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { keyHint, newAgentId, newApiKey } from "../ids.ts";
import { insertAgent, type NewAgent } from "./agents.store.ts";

/** An agent just made. Its key is shown this once. */
export interface MadeAgent {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly createdMs: number;
}

/** What an agent says of itself when it is registered. */
export interface AgentMeta {
  readonly role: string | null;
  readonly provider: string | null;
  readonly model: string | null;
}

export const NO_META: AgentMeta = { role: null, provider: null, model: null };

/** Makes an agent under an id and a key of its own; of the key only the hash is kept. */
export async function makeAgent(
  tx: Write,
  agent: Omit<NewAgent, "id" | "keyHash" | "keyHint">,
  random: Random,
): Promise<MadeAgent> {
  const [id, key] = [newAgentId(random), newApiKey(random)];
  await insertAgent(tx, { ...agent, id, keyHash: sha256Hex(key), keyHint: keyHint(key) });
  return { id, name: agent.name, key, createdMs: agent.createdMs };
}
