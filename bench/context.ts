import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isoTime, MINUTE_MS } from "@darkmatter/core";
import { meshMigrations } from "@darkmatter/mesh";
import { contextFeed } from "@darkmatter/mesh/testing";
import { type Database, migrate, openSqlite, storeMigrations } from "@darkmatter/store";
import { type Figures, median } from "./lib/figures.ts";

const ENTRIES = 500;
const PEERS = 50;
const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const SELF = "f".repeat(64);

/** How long a helper waits for what it is told of the conversation, over a full log on disk. */
export async function measureContext(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "darkmatter-bench-"));
  const db = await openSqlite({ path: join(folder, "node.db") });
  try {
    await migrate(db, [...storeMigrations, ...meshMigrations]);
    await fill(db);
    const tookMs: number[] = [];
    for (let round = 0; round < (short ? 20 : 200); round++) {
      const start = performance.now();
      const feed = await contextFeed(db, { self: SELF, nowMs: NOW_MS, respondingTo: "msg-17" });
      tookMs.push(performance.now() - start);
      if (feed.split("\n").length < 30) throw new Error("The feed is not whole.");
    }
    figures.add("context.feed_ms", median(tookMs), "ms", { most: 5, noisy: true });
  } finally {
    await db.close();
    rmSync(folder, { recursive: true });
  }
}

/** Words of the greatest length, half of them in other scripts, of every kind, from peers with names. */
async function fill(db: Database): Promise<void> {
  const id = (at: number) => at.toString(16).padStart(64, "0");
  const kinds = ["direct", "broadcast", "reply", "forward"];
  await db.write(async (tx) => {
    for (let at = 0; at < PEERS; at++) {
      await tx.run(
        `INSERT INTO mesh_connections (agent_id, url, bio, display_name, wallets, addresses, connected_at)
         VALUES (?, 'http://127.0.0.1:9', '', ?, '{}', '{}', '')`,
        id(at),
        `peer ${at} ${"n".repeat(80)}`,
      );
    }
    for (let at = 0; at < ENTRIES; at++) {
      const inbound = at % 3 !== 0;
      const peer = id(at % PEERS);
      const targets = inbound
        ? [SELF]
        : [peer, id((at + 1) % PEERS), id((at + 2) % PEERS), id((at + 3) % PEERS)];
      await tx.run(
        `INSERT INTO mesh_conversation
           (message_id, content, from_agent_id, to_agent_ids, at, entry_type, direction, trust, metadata)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        `msg-${at}`,
        (at % 2 ? "word \n" : "слово😀").repeat(400).slice(0, 2000),
        inbound ? peer : SELF,
        JSON.stringify(targets),
        isoTime(NOW_MS - (ENTRIES - at) * MINUTE_MS),
        kinds[at % kinds.length] ?? "direct",
        inbound ? "inbound" : "outbound",
        (at % 21) / 10 - 1,
        JSON.stringify({ note: "m".repeat(500) }),
      );
    }
  });
}
