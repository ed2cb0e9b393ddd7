import type { Migration, Read, Write } from "@darkmatter/store";
import { Rule } from "./rule.ts";

export const routerMigrations: readonly Migration[] = [
  {
    name: "mesh/012-router",
    dialects: ["sqlite"],
    sql: [
      "CREATE TABLE mesh_rules (seq INTEGER PRIMARY KEY, rule_id TEXT NOT NULL UNIQUE, rule TEXT NOT NULL)",
      // What was decided about a message and is not yet done; NULL where it just waits.
      "ALTER TABLE mesh_inbox ADD COLUMN route TEXT",
      "CREATE INDEX mesh_inbox_routes ON mesh_inbox (seq) WHERE route IS NOT NULL",
    ],
  },
];

/** Oldest first. */
export async function readRules(tx: Read): Promise<Rule[]> {
  const rows = await tx.all<{ rule: string }>("SELECT rule FROM mesh_rules ORDER BY seq");
  return rows.map(({ rule }) => Rule.parse(JSON.parse(rule)));
}

/** Keeps a rule; one of the same id is replaced in its place. */
export async function saveRule(tx: Write, rule: Rule): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_rules (rule_id, rule) VALUES (?, ?) ON CONFLICT (rule_id) DO UPDATE SET rule = excluded.rule",
    rule.rule_id,
    JSON.stringify(rule),
  );
}

export async function deleteRule(tx: Write, ruleId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_rules WHERE rule_id = ?", ruleId)) > 0;
}

/** Notes what was decided about a message that was `before` (`null`: just waits); whether it still was. */
export async function noteRoute(
  tx: Write,
  messageId: string,
  before: string | null,
  route: string | null,
): Promise<boolean> {
  const sql = "UPDATE mesh_inbox SET route = ? WHERE message_id = ? AND route IS ? AND answer IS NULL";
  return (await tx.run(sql, route, messageId, before)) > 0;
}

/** What was decided is done, or cannot be: the message just waits, where it is still there. */
export async function clearRoute(tx: Write, messageId: string): Promise<void> {
  await tx.run("UPDATE mesh_inbox SET route = NULL WHERE message_id = ?", messageId);
}

/** What was decided about a message, and whether its answer is on its way. */
export async function readRoute(
  tx: Read,
  messageId: string,
): Promise<{ route: string; answered: boolean } | undefined> {
  const row = await tx.get<{ route: string; answered: number }>(
    "SELECT route, answer IS NOT NULL AS answered FROM mesh_inbox WHERE message_id = ? AND route IS NOT NULL",
    messageId,
  );
  return row && { route: row.route, answered: row.answered === 1 };
}

/** Messages about which something was decided and not done, oldest first. */
export async function readRouted(tx: Read, limit: number): Promise<string[]> {
  const sql = "SELECT message_id FROM mesh_inbox WHERE route IS NOT NULL ORDER BY seq LIMIT +?";
  return (await tx.all<{ message_id: string }>(sql, limit)).map((row) => row.message_id);
}
