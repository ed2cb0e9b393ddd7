import { join } from "node:path";

/** Where one agent's state lies: `<home>/state/<agent id>/`. The socket's place is `adapters/socket-place.ts`. */
export interface Places {
  readonly folder: string;
  /** Held by the owner; see `adapters/owner-lock.ts`. */
  readonly lock: string;
  readonly database: string;
  /** Who the owner is and where it listens: for people and for messages, never for deciding anything. */
  readonly ownerCard: string;
  readonly log: string;
  /** Which passport file this state belongs to, so that a lost key is noticed. */
  readonly passportNote: string;
}

export function placesOf(home: string, agentId: string): Places {
  const folder = join(home, "state", agentId);
  return {
    folder,
    lock: join(folder, "owner.lock"),
    database: join(folder, "darkmatter.db"),
    ownerCard: join(folder, "owner.json"),
    log: join(folder, "node.log"),
    passportNote: join(folder, "passport.path"),
  };
}
