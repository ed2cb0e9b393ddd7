import { createSigner } from "@darkmatter/identity";
import type { SignedCheckpoint } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { signedLog } from "../server/log/log-keys.ts";
import { createServerLog } from "../server/log/server-log.ts";
import type { LedgerServerPorts, LogMemory } from "../server/ports.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { type TestServer, testServer } from "./test-server.ts";

/** A home's file that lasts as long as its test. */
interface TestMemory extends LogMemory {
  text: string | undefined;
  isFull: boolean;
}

function testMemory(text?: string): TestMemory {
  const memory: TestMemory = {
    place: "log.signed",
    text,
    isFull: false,
    read: async () => memory.text,
    async replace(next) {
      if (memory.isFull) throw new Error("no space left");
      memory.text = next;
    },
  };
  return memory;
}

/** What a home remembers of its log, on every database: run it on yours. */
export function serverMemorySuite(name: string, open: OpenServerDatabase): void {
  async function grown(context: TestContext, commits: number, what = "n"): Promise<TestServer> {
    const server = await testServer({ db: await open(context) });
    const ana = await server.account("ana");
    for (let n = 0; n < commits; n++) await server.commit(ana, { payload: { [what]: n } });
    return server;
  }
  const logOf = ({ ports }: TestServer, logMemory: LogMemory, more: Partial<LedgerServerPorts> = {}) =>
    createServerLog({ ...ports, logMemory, ...more });

  describe(`what a home remembers of its log: ${name}`, () => {
    test("each checkpoint that was signed or seen is remembered, and the log may have grown since", async (context) => {
      await using server = await grown(context, 2);
      const [own, others] = [testMemory(), testMemory()];
      const [log, other] = [logOf(server, own), logOf(server, others)];
      await log.start();
      expect(own.text).toBeUndefined();
      const signed = await log.checkpointNow();
      expect(JSON.parse(own.text ?? "")).toEqual(signed);
      await other.jobs.find((job) => job.name === "ledger.follow")?.run();
      expect(JSON.parse(others.text ?? "")).toEqual(signed);

      await server.commit(await server.account("bo"), { payload: {} });
      await createServerLog(server.ports).checkpointNow();
      const again = logOf(server, own);
      await again.start();
      expect(JSON.parse(own.text ?? "")).toMatchObject({ tree_size: 3 });
    });

    test("a log that is shorter than remembered, or another one, is not started", async (context) => {
      await using server = await grown(context, 3);
      const memory = testMemory();
      await logOf(server, memory).checkpointNow();
      const before = memory.text;
      await using empty = await open(context);
      await using shorter = await grown(context, 2);
      await using another = await grown(context, 4, "other");
      const started = (db: Database, more = {}) => logOf(server, memory, { db, ...more }).start();

      await expect(started(empty)).rejects.toMatchObject({
        code: "LOG_OLDER",
        message: expect.stringMatching(/signed 3 commits at .*; the log has 0\.$/),
      });
      // Nor did the key take it.
      expect(await signedLog(empty)).toBeUndefined();
      await expect(started(shorter.db)).rejects.toMatchObject({ code: "LOG_OLDER" });
      await expect(started(another.db)).rejects.toMatchObject({ code: "LOG_DIFFERS" });
      expect(memory.text).toBe(before);
    });

    test("what is remembered counts only as it was signed, by a key of the log", async (context) => {
      await using server = await grown(context, 3);
      const { ports } = server;
      const memory = testMemory();
      const signed = (await logOf(server, memory).checkpointNow()) as SignedCheckpoint;
      for (const text of [
        "",
        "{",
        "[]",
        JSON.stringify({ ...signed, tree_size: 2, position: 1, log_position: 1 }),
      ])
        await expect(logOf(server, testMemory(text)).start(), text).rejects.toMatchObject({
          code: "LOG_MEMORY_DAMAGED",
        });
      const logKey = createSigner(new Uint8Array(32).fill(9));
      await using empty = await open(context);
      const changed = (formerLogKeys: LedgerServerPorts["formerLogKeys"], db = ports.db) =>
        logOf(server, memory, { logKey, formerLogKeys, db }).start();
      await expect(changed([], empty)).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
      const former = [{ publicKey: ports.logKey.agentId, validUntil: signed.timestamp }];
      await expect(changed(former, empty)).rejects.toMatchObject({ code: "LOG_OLDER" });
      await changed(former);
    });

    test("a database that is put back while the server runs is not signed on", async (context) => {
      await using server = await grown(context, 3);
      await using older = await grown(context, 2);
      let db = server.db;
      const behind = new Proxy(server.db, {
        get: (_, member) => Reflect.get(db, member).bind?.(db) ?? db.dialect,
      });
      const log = logOf(server, testMemory(), { db: behind });
      await log.start();
      await log.checkpointNow();
      db = older.db;
      await expect(log.checkpointNow()).rejects.toMatchObject({ code: "LOG_OLDER" });
      expect(await log.ended).toMatchObject({ code: "LOG_OLDER" });
      expect(await log.checkpoints.latest(older.db)).toBeUndefined();
    });

    test("a checkpoint that cannot be remembered is signed and reported, and remembered later", async (context) => {
      await using server = await grown(context, 1);
      const memory = testMemory();
      const reports: string[] = [];
      const log = logOf(server, memory, { report: (event) => void reports.push(event) });
      memory.isFull = true;
      const signed = await log.checkpointNow();
      expect(signed).toMatchObject({ tree_size: 1 });
      expect(reports).toContain("ledger.memory");
      memory.isFull = false;
      await log.jobs.find((job) => job.name === "ledger.follow")?.run();
      expect(JSON.parse(memory.text ?? "null")).toEqual(signed);
    });
  });
}
