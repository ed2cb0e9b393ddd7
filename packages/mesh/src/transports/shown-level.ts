import type { JsonObject } from "@darkmatter/core";
import type { PeerState } from "./connectivity.ts";
import { LEVELS } from "./transport.ts";

/** How a peer is reached, as results show it: 0 to 5 (mesh.md 9.2), and the name of the way; none when unknown. */
export function shownLevel({ level }: PeerState): JsonObject {
  return {
    connectivity_level: LEVELS.indexOf(level),
    connectivity_method: level === "unknown" ? "" : level,
  };
}
