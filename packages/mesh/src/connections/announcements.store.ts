import type { Migration, Read, Write } from "@darkmatter/store";

export const announcementMigrations: readonly Migration[] = [
  {
    name: "mesh/011-announcements",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_announcements (
         agent_id TEXT PRIMARY KEY,
         mutual INTEGER NOT NULL,
         accepted_at_ms INTEGER NOT NULL
       )`,
    ],
  },
];

/** An agent that has still to hear that its request was accepted. */
export interface Announcement {
  readonly agentId: string;
  /** It asked to be asked back. */
  readonly mutual: boolean;
  readonly acceptedAtMs: number;
}

export async function insertAnnouncement(tx: Write, { agentId, mutual, acceptedAtMs }: Announcement) {
  await tx.run(
    "INSERT OR REPLACE INTO mesh_announcements (agent_id, mutual, accepted_at_ms) VALUES (?, ?, ?)",
    agentId,
    mutual ? 1 : 0,
    acceptedAtMs,
  );
}

export async function readAnnouncements(tx: Read): Promise<Announcement[]> {
  const rows = await tx.all<{ agent_id: string; mutual: number; accepted_at_ms: number }>(
    "SELECT * FROM mesh_announcements ORDER BY accepted_at_ms",
  );
  return rows.map((row) => ({
    agentId: row.agent_id,
    mutual: row.mutual === 1,
    acceptedAtMs: row.accepted_at_ms,
  }));
}

/** Whether it was still there. */
export async function deleteAnnouncement(tx: Write, agentId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_announcements WHERE agent_id = ?", agentId)) > 0;
}
