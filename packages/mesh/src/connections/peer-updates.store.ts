import type { Migration, Write } from "@darkmatter/store";
import type { PeerUpdate } from "./connection.ts";

export const peerUpdateMigrations: readonly Migration[] = [
  {
    name: "mesh/008-peer-updates",
    dialects: ["sqlite"],
    sql: [
      "ALTER TABLE mesh_connections ADD COLUMN lan_url TEXT",
      // When the peer signed the last update we took, in milliseconds since the epoch.
      "ALTER TABLE mesh_connections ADD COLUMN told_at_ms REAL NOT NULL DEFAULT 0",
      // And the address that update named: two signed at one instant differ in it.
      "ALTER TABLE mesh_connections ADD COLUMN told_url TEXT",
    ],
  },
];

/**
 * Takes over what a peer signed about itself, unless it signed something later already: an update caught on its way
 * could otherwise lead us back to an address the peer has left, for as long as its time counts as fresh.
 * Whether it was taken.
 */
export async function applyPeerUpdate(tx: Write, update: PeerUpdate): Promise<boolean> {
  const changed = await tx.run(
    `UPDATE mesh_connections SET url = ?, addresses = ?, lan_url = ?, bio = coalesce(?, bio),
       display_name = coalesce(?, display_name), identity_verified = 1, told_at_ms = ?, told_url = ?
     WHERE agent_id = ? AND (told_at_ms < ? OR (told_at_ms = ? AND told_url IS NOT ?))`,
    update.url,
    JSON.stringify(update.addresses),
    update.lanUrl ?? null,
    update.bio ?? null,
    update.displayName ?? null,
    update.toldAtMs,
    update.url,
    update.agentId,
    update.toldAtMs,
    update.toldAtMs,
    update.url,
  );
  if (changed > 0) return true;
  // Told again, as where its first telling was not answered. Only address and time are signed: whatever else is said
  // under the same signature is heard once, or whoever saw it could say other things.
  const told = "SELECT 1 AS told FROM mesh_connections WHERE agent_id = ? AND told_at_ms = ? AND url = ?";
  return (await tx.get(told, update.agentId, update.toldAtMs, update.url)) !== undefined;
}

/**
 * A peer was found at another address by looking for it. What it signed last, sent once more, names another one and is
 * not taken. Whether the peer was still thought to be at the old address.
 */
export async function moveConnection(tx: Write, agentId: string, from: string, to: string): Promise<boolean> {
  const sql = "UPDATE mesh_connections SET url = ?, lan_url = NULL WHERE agent_id = ? AND url = ?";
  return (await tx.run(sql, to, agentId, from)) > 0;
}

export async function addFeatures(tx: Write, agentId: string, features: readonly string[]): Promise<void> {
  await tx.run(
    "UPDATE mesh_connections SET features = ? WHERE agent_id = ?",
    JSON.stringify(features),
    agentId,
  );
}
