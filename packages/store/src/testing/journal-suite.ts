import { createHash } from "node:crypto";
import { describe, expect, type TestContext, test } from "vitest";
import type { Database } from "../database.ts";
import type { Journal, JournalEvent } from "../journal.ts";

export interface OpenJournal {
  readonly db: Database;
  readonly journal: Journal;
  /** All that was written down, in order, as it was given. */
  entries(): Promise<readonly JournalEvent[]>;
}

const SENT: JournalEvent = {
  act: "message.sent",
  trace: "msg-1a0cdccd0c92",
  peer: "ab".repeat(32),
  messageId: "msg-1a0cdccd0c92",
  fields: { bytes: 450, parts: [1, null, "☃"], nested: { yes: true } },
};
const CLOSED: JournalEvent = { act: "connection.closed", trace: "req-1a0cdccd", peer: null, fields: {} };

/** What every adapter of the Journal port does; `open` answers an empty one each time. */
export function journalSuite(name: string, open: (context: TestContext) => Promise<OpenJournal>): void {
  describe(`journal: ${name}`, () => {
    test("acts are written down in order and come back as they were", async (context) => {
      const { db, journal, entries } = await open(context);
      await using _closing = db;
      await db.write((tx) => journal.append(tx, SENT));
      await db.write((tx) => journal.append(tx, CLOSED));
      expect(await entries()).toEqual([
        expect.objectContaining(SENT),
        expect.objectContaining({ ...CLOSED, messageId: undefined }),
      ]);
    });

    test("a long value is kept as its hash: the journal lasts longer than what was said", async (context) => {
      const { db, journal, entries } = await open(context);
      await using _closing = db;
      const content = "secret ".repeat(50);
      await db.write((tx) => journal.append(tx, { ...SENT, fields: { content, short: "seen" } }));
      const [entry] = await entries();
      const sha256 = createHash("sha256").update(JSON.stringify(content)).digest("hex");
      expect(entry?.fields).toEqual({ content: { sha256 }, short: "seen" });
    });

    test("an act that fails leaves no entry", async (context) => {
      const { db, journal, entries } = await open(context);
      await using _closing = db;
      const failing = db.write(async (tx) => {
        await journal.append(tx, SENT);
        throw new Error("no");
      });
      const good = db.write((tx) => journal.append(tx, CLOSED));
      await Promise.allSettled([failing, good]);
      expect((await entries()).map((entry) => entry.act)).toEqual(["connection.closed"]);
    });
  });
}
