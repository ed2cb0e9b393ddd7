import { describe, expect, type TestContext, test } from "vitest";
import { createServerLog } from "../server/log/server-log.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { testServer } from "./test-server.ts";

/** Counts and health on every database: run it on yours. */
export function statsSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });
  describe(`stats: ${name}`, () => {
    test("the counts are those of the database, and verified is what a signed checkpoint covers", async (context) => {
      await using server = await opened(context);
      const ana = await server.account();
      await server.account();
      const stats = async () => {
        await server.clock.advance(5000);
        return (await server.call({ path: "/api/stats" })).json;
      };
      expect(await stats()).toEqual({ agents: 2, commits: 0, verified: 0, rejected: 0 });
      await server.commit(ana, { payload: {} });
      await server.commit(ana, { payload: {} });
      await server.call({ path: "/api/commit", body: { payload: {}, parentId: "ctx_1_000000000000" } }, ana);
      expect(await stats()).toEqual({ agents: 2, commits: 2, verified: 0, rejected: 1 });
      await createServerLog(server.ports).checkpointNow();
      await server.commit(ana, { payload: {} });
      expect(await stats()).toEqual({ agents: 2, commits: 3, verified: 2, rejected: 1 });
    });

    test("a server that works is alive and ready", async (context) => {
      await using server = await opened(context);
      expect(await server.call({ path: "/healthz" })).toMatchObject({ status: 200, json: { ok: true } });
      expect(await server.call({ path: "/readyz" })).toMatchObject({
        status: 200,
        json: { ok: true, database: true, log_key: true },
      });
    });
  });
}
