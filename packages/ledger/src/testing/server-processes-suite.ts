import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { verifyInclusion } from "@darkmatter/proof";
import { type Database, openPostgres } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { twoServers } from "./accounts-suite.ts";
import { type Committed, post } from "./server-commit-suite.ts";
import { expectSoundLog } from "./server-log-checks.ts";
import { testServer } from "./test-server.ts";

const CHILD = join(import.meta.dirname, "children/server-committer.ts");

/** A PostgreSQL schema with a ledger server's tables that holds nothing yet. */
export interface SharedSchema {
  readonly url: string;
  readonly schema: string;
  readonly db: Database;
  readonly another: () => Promise<Database>;
}

/** Several processes of a ledger server on one PostgreSQL. */
export function serverProcessesSuite(open: (context: TestContext) => Promise<SharedSchema>): void {
  describe("processes of one ledger server", () => {
    test("two pools at once make one log, and each answer's proof holds in it", async (context) => {
      await using both = await twoServers(await open(context));
      const { server, second } = both;
      const ana = await server.account();
      const root = await server.commit(ana, { payload: {} });
      const answers = await Promise.all(
        Array.from({ length: 64 }, (_, n) =>
          (n % 2 ? server : second).commit(ana, { payload: { n }, parentId: root.id }),
        ),
      );
      const commits = await expectSoundLog(server, 65);
      for (const { id, _proof } of answers as unknown as Committed[]) {
        const { leaf_hash: leaf, tree_root: root, tree_size: size, inclusion_proof } = _proof;
        const { leaf_index: index, proof } = inclusion_proof;
        expect(commits[index]?.id).toBe(id);
        expect(verifyInclusion({ leaf, root, size, index, proof })).toBe(true);
      }
    });

    test("one key in two processes at once is one commit with one answer", async (context) => {
      await using both = await twoServers(await open(context));
      const { server, second } = both;
      const ana = await server.account();
      for (let round = 0; round < 5; round++) {
        const body = { payload: { round }, idempotencyKey: `k${round}` };
        const answers = await Promise.all(
          [server, second, server, second].map((one) => post(one, ana, body)),
        );
        expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
        expect(answers[0]?.status).toBe(200);
      }
      await expectSoundLog(server, 5);
    });

    test("two processes lose and repeat nothing", { timeout: 60_000 }, async (context) => {
      const { url, schema, db } = await open(context);
      await using server = await testServer({ db });
      const ana = await server.account();
      const children = [1, 2].map(() =>
        spawn(process.execPath, [CHILD, url, schema, JSON.stringify(ana)], {
          stdio: ["ignore", "pipe", "inherit"],
        }),
      );
      const told = await Promise.all(
        children.map(
          async ({ stdout }) => JSON.parse(await text(stdout)) as { ids: string[]; keyed: object },
        ),
      );
      const commits = await expectSoundLog(server, 250);
      const acknowledged = told.flatMap(({ ids, keyed }) => [...ids, ...(Object.values(keyed) as string[])]);
      expect(new Set(acknowledged)).toEqual(new Set(commits.map(({ id }) => id)));
      expect(told[0]?.keyed).toEqual(told[1]?.keyed);
    });

    test("connections that are cut lose nothing acknowledged", async (context) => {
      const { url, schema, db } = await open(context);
      await using server = await testServer({ db });
      const ana = await server.account();
      await using other = await openPostgres({ url, schema, connections: 1 });
      const cut = async () => {
        for (let time = 0; time < 5; time++)
          await other.all(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE ?`,
            "%ledger_%",
          );
      };
      const attempts = Array.from({ length: 80 }, (_, n) => post(server, ana, { payload: { n } }));
      const [answers] = await Promise.all([Promise.all(attempts), cut()]);
      const statuses = new Set(answers.map(({ status }) => status));
      expect([200, 503]).toEqual(expect.arrayContaining([...statuses]));
      await server.commit(ana, { payload: {} });
      const found = await db.get<{ n: number }>("SELECT count(*) AS n FROM ledger_commits");
      const commits = await expectSoundLog(server, found?.n ?? 0);
      const there = new Set(commits.map(({ id }) => id));
      for (const { status, json } of answers)
        if (status === 200) expect(there).toContain((json as { id: string }).id);
    });
  });
}
