import type { Write } from "@darkmatter/store";
import type { PendingRequest } from "../connections/connection.ts";
import type { StoredMessage } from "../messages/stored.ts";

/** Waking our agent when it sleeps: by its client's push channel, a hook, a helper, or not at all (mesh.md 14, 22.2). */
export interface Waking {
  /**
   * Notes, in the transaction that decided HANDLE, that the agent is to be woken for a message; asking starts after
   * the commit, and goes on after a restart. Does nothing for a message that must not wake anybody: a broadcast, a
   * stranger's, or one that waits while the agent is inactive.
   */
  wake(tx: Write, message: StoredMessage): Promise<void>;
  /** The same for a connection request that waits for the agent's word. */
  request(tx: Write, request: PendingRequest): Promise<void>;
}
