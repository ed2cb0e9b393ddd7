import { join } from "node:path";

/** The folder of all agents' states. */
export function statesOf(home: string): string {
  return join(home, "state");
}

/** Where one agent's state lies: `<home>/state/<agent id>/`. The socket's place is `adapters/socket-place.ts`. */
export interface Places {
  readonly folder: string;
  /** Held by the owner; see `adapters/owner-lock.ts`. */
  readonly lock: string;
  readonly database: string;
  /** Who the owner is and where it listens: for people and for messages, never for deciding anything. */
  readonly ownerCard: string;
  readonly log: string;
  /** Bundles an agent asked for. */
  readonly exports: string;
  /** What helpers are told, each in a folder of its own while it runs. */
  readonly helpers: string;
}

export function placesOf(home: string, agentId: string): Places {
  const folder = join(statesOf(home), agentId);
  return {
    folder,
    lock: join(folder, "owner.lock"),
    database: join(folder, "darkmatter.db"),
    ownerCard: join(folder, "owner.json"),
    log: join(folder, "node.log"),
    exports: join(folder, "exports"),
    helpers: join(folder, "helpers"),
  };
}
