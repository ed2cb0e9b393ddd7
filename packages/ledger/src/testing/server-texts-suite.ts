import { describe, expect, type TestContext, test } from "vitest";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { testServer } from "./test-server.ts";

/** What PostgreSQL takes for no text, and what would come back as something else. */
const UNSTORABLE = ["\0", "\ud800"];

/** Texts that not every engine can keep, wherever a caller may put them, on every database: run it on yours. */
export function textsSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => {
    const server = await testServer({ db: await open(context) });
    const ana = await server.account();
    const signedUp = { path: "/auth/signup", body: { email: "bo@example.test", password: "long enough" } };
    const { json } = await server.call(signedUp);
    const { session } = json as unknown as { session: { access_token: string } };
    return { server, ana, session: { authorization: `Bearer ${session.access_token}` } };
  };
  describe(`texts: ${name}`, () => {
    test("U+0000 in a path names nothing, whatever the route", async (context) => {
      const { server, ana, session } = await opened(context);
      await using _ = server;
      const routes = server.server.routes.filter(({ path }) => path.includes("/:"));
      expect(routes.length).toBeGreaterThan(25);
      const odd: unknown[] = [];
      for (const { method, path, body, contract } of routes) {
        const isSession = contract?.caller === "session";
        const call = { method, path: path.replace(/:\w+/g, "a%00"), headers: isSession ? session : {} };
        const sent = body === "none" ? {} : { body: BODIES[path] ?? {} };
        const { status } = await server.call({ ...call, ...sent }, isSession ? undefined : ana);
        if (status !== 404) odd.push([method, path, status]);
      }
      expect(odd).toEqual([]);
    });

    test.for(UNSTORABLE)("%j is refused where a text is kept or looked for", async (character, context) => {
      const { server, ana } = await opened(context);
      await using _ = server;
      const text = `a${character}`;
      const { id } = await server.commit(ana, { payload: {} });
      const publicKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
      const calls = [
        { path: `/api/share/${id}`, body: { label: text } },
        { path: "/api/signing-keys", body: { key_id: "k", public_key: publicKey, description: text } },
        { path: "/api/agents/keys/revoke", body: { keyId: "k", reason: text } },
        { path: "/api/commit", body: { payload: {}, traceId: text } },
        { path: "/api/agents/register", body: { agentName: "x", role: text } },
      ];
      const statuses = [];
      for (const call of calls) statuses.push((await server.call(call, ana)).status);
      expect(statuses).toEqual(calls.map(() => 400));
    });

    test("U+0000 is refused in what a query or a witness names", async (context) => {
      const { server, ana } = await opened(context);
      await using _ = server;
      await server.db.write((tx) =>
        tx.run(
          "INSERT INTO ledger_witnesses (witness_id, public_key, name, registered_ms) VALUES ('wit_1', 'k', 'n', 0)",
        ),
      );
      const signed = { checkpoint_id: "a\0", witness_sig: "00" };
      const calls = [
        { path: "/api/diff?a=a%00&b=b" },
        { path: "/api/log/consistency?from=a%00" },
        { path: "/api/witness/sign", body: signed, headers: { "x-witness-id": "wit_1" } },
      ];
      const statuses = [];
      for (const call of calls) statuses.push((await server.call(call, ana)).status);
      expect(statuses).toEqual([400, 400, 400]);
      expect((await server.call({ path: "/api/search?agentId=a%00&q=b%00" }, ana)).status).toBe(200);
    });
  });
}

/** Of routes that look at the body first. */
const BODIES: Readonly<Record<string, object>> = {
  "/dashboard/agents/:id/webhook": { webhookUrl: null },
  "/dashboard/agents/:id/retention": { retentionDays: null },
};
