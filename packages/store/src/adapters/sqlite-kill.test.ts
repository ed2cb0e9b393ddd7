import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { tempFolder } from "../testing/temp-folder.ts";
import { openSqlite } from "./sqlite.ts";

const KILLS = 15;
const CHILD = join(import.meta.dirname, "../testing/children/write-forever.ts");

test("fifteen SIGKILLs of a process that writes at full speed lose nothing acknowledged", {
  timeout: 60_000,
}, async () => {
  using folder = tempFolder();
  const path = join(folder.path, "state.db");
  const made = await openSqlite({ path });
  await made.write((tx) => tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"));
  await made.close();

  const acknowledged = new Set<number>();
  for (let kill = 0; kill < KILLS; kill++) {
    const before = acknowledged.size;
    for (const id of await writeUntilKilled(path, kill * 1_000_000)) acknowledged.add(id);
    expect(acknowledged.size).toBeGreaterThan(before);
  }

  await using db = await openSqlite({ path });
  const rows = await db.all<{ id: number }>("SELECT id FROM notes");
  const kept = new Set(rows.map((row) => row.id));
  expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
});

async function writeUntilKilled(path: string, first: number): Promise<readonly number[]> {
  const child = spawn(process.execPath, [CHILD, path, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const ended = once(child, "close");
  await once(child.stdout, "data");
  await sleep(Math.random() * 40);
  child.kill("SIGKILL");
  await ended;
  // The last line may be cut.
  return printed.split("\n").slice(0, -1).map(Number);
}
