import type { Migration, Read, Write } from "@darkmatter/store";
import type { Impression } from "./impression.ts";

export const impressionMigrations: readonly Migration[] = [
  {
    name: "mesh/003-impressions",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_impressions (
         about TEXT PRIMARY KEY,
         score REAL NOT NULL,
         note TEXT NOT NULL,
         negative_since TEXT
       ) WITHOUT ROWID`,
    ],
  },
];

type ImpressionRow = { about: string; score: number; note: string; negative_since: string | null };

const fromRow = (row: ImpressionRow): Impression => ({
  about: row.about,
  score: row.score,
  note: row.note,
  negativeSince: row.negative_since,
});

export async function readImpression(tx: Read, about: string): Promise<Impression | undefined> {
  const row = await tx.get<ImpressionRow>("SELECT * FROM mesh_impressions WHERE about = ?", about);
  return row && fromRow(row);
}

export async function readImpressions(tx: Read): Promise<Impression[]> {
  return (await tx.all<ImpressionRow>("SELECT * FROM mesh_impressions ORDER BY about")).map(fromRow);
}

export async function writeImpression(tx: Write, impression: Impression): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_impressions (about, score, note, negative_since) VALUES (?, ?, ?, ?)
     ON CONFLICT (about) DO UPDATE SET score = excluded.score, note = excluded.note,
       negative_since = excluded.negative_since`,
    impression.about,
    impression.score,
    impression.note,
    impression.negativeSince,
  );
}

/** Whether there was one. */
export async function deleteImpression(tx: Write, about: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_impressions WHERE about = ?", about)) > 0;
}
