import type { Account } from "./account.ts";
import type { Site } from "./weather.ts";
import type { World } from "./world.ts";

/** An agent that lies, forges and repeats. */
export interface Hostile {
  readonly id: string;
  stop(): void;
}

export async function startHostile(_world: World, _site: Site, _account: Account): Promise<Hostile> {
  return { id: "", stop: () => undefined };
}
