import { DAY_MS, HOUR_MS, MINUTE_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import type { Database } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { createPasswordReset } from "../server/accounts/accounts.ts";
import { DEFAULT_LIMITS } from "../server/ports.ts";
import { databaseWindows } from "../server/windows.ts";
import { loggedIn, PASSWORD, signedUp, type TestPerson } from "./sessions.ts";
import { type TestServer, testServer } from "./test-server.ts";

/** An empty database, and further ways into it, as other processes have them; the same one where there is no other. */
export type OpenShared = (
  context: TestContext,
) => Promise<{ readonly db: Database; readonly another: () => Promise<Database> }>;

const OWN = { origin: "http://ledger.test" };

/** Two processes of one server: they share the database, and time. */
export async function twoServers(
  { db, another }: Awaited<ReturnType<OpenShared>>,
  limits: Partial<typeof DEFAULT_LIMITS> = {},
): Promise<AsyncDisposable & { readonly server: TestServer; readonly second: TestServer }> {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  const server = await testServer({ db, limits, ports: { clock, windows: databaseWindows(db, clock) } });
  const { random } = server.ports;
  const other = await another();
  const second = await testServer({
    db: other,
    limits,
    ports: { clock, random, windows: databaseWindows(other, clock) },
  });
  return {
    server: { ...server, clock },
    second,
    async [Symbol.asyncDispose]() {
      await second.server.stop();
      await server[Symbol.asyncDispose]();
      await other.close();
    },
  };
}

const statusOf = async (server: TestServer, headers: Record<string, string>, path = "/dashboard/agents") =>
  (await server.call({ path, headers })).status;

/** What a server keeps of accounts and sessions, on every engine. */
export function accountsSuite(engine: string, open: OpenShared): void {
  describe(`accounts on ${engine}`, () => {
    sessionLife(open);
    guessing(open);
    provisioning(open);
  });
}

function sessionLife(open: OpenShared): void {
  test("a session lives an hour, renewed by each refresh token once, until its end", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const ana = await signedUp(server, "Ana@Example.test");
    expect(await statusOf(server, ana.bearer)).toBe(200);
    expect(await statusOf(server, ana.cookies)).toBe(200);

    const renewed = await refreshed(server, ana.refresh);
    expect(await statusOf(server, ana.bearer)).toBe(401);
    expect(await statusOf(server, renewed.bearer)).toBe(200);
    await server.clock.advance(HOUR_MS);
    expect(await statusOf(server, renewed.bearer)).toBe(401);
    await server.clock.advance(90 * DAY_MS);
    expect((await refreshCall(server, renewed.refresh)).status).toBe(401);
  });

  test("a refresh token that was spent before ends its session, and no other", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const ana = await signedUp(server, "ana@example.test");
    const elsewhere = await loggedIn(server, "ana@example.test");
    const renewed = await refreshed(server, ana.refresh);

    const again = await refreshCall(server, ana.refresh);

    expect(again.status).toBe(401);
    expect(await statusOf(server, renewed.bearer)).toBe(401);
    expect((await refreshCall(server, renewed.refresh)).status).toBe(401);
    expect(await statusOf(server, elsewhere.bearer)).toBe(200);
  });

  test("of a session nothing is kept but what it is now, however often it is renewed; all it ever had are known", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const tables = async () =>
      (await tablesText(server.db)).split("\n").filter((line) => !line.includes("at_ms")).length;
    const ana = await signedUp(server, "ana@example.test");
    let last = await refreshed(server, ana.refresh);
    const lines = await tables();
    for (let time = 0; time < 20; time++) last = await refreshed(server, last.refresh);
    expect(await tables()).toBe(lines);
    for (const none of [last.refresh.slice(0, -1), `dm_rt_${"0".repeat(96)}`, last.refresh.toUpperCase()])
      expect((await refreshCall(server, none)).status).toBe(401);
    expect(await statusOf(server, last.bearer)).toBe(200);
    expect((await refreshCall(server, ana.refresh)).status).toBe(401);
    expect(await statusOf(server, last.bearer)).toBe(401);
  });

  test("of many refreshes with one token at once, one at most leads on", async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const ana = await signedUp(server, "ana@example.test");
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => refreshCall(at % 2 === 0 ? server : second, ana.refresh)),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    // Seven of them were reuse.
    expect(await statusOf(server, bearerOf(won[0]?.json).bearer)).toBe(401);
  });

  test("whoever logs out is out, by either token and in every process", async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const [ana, again] = [
      await signedUp(server, "ana@example.test"),
      await loggedIn(second, "ana@example.test"),
    ];
    const out = await server.call({ method: "POST", path: "/auth/logout", headers: ana.bearer });
    expect(out).toMatchObject({ status: 200, json: { success: true } });
    expect(out.cookies).toEqual([
      expect.stringMatching(/^dm_access=; .*Max-Age=0/),
      expect.stringMatching(/^dm_refresh=; .*Max-Age=0/),
    ]);
    expect(await statusOf(second, ana.bearer)).toBe(401);
    expect((await refreshCall(second, ana.refresh)).status).toBe(401);
    expect(await statusOf(server, again.bearer)).toBe(200);

    const cookie = `dm_refresh=${again.refresh}`;
    await server.call({ method: "POST", path: "/auth/logout", headers: { cookie, ...OWN } });
    expect(await statusOf(server, again.bearer)).toBe(401);
  });
}

function guessing(open: OpenShared): void {
  test("a wrong password and an unknown email are answered alike, and neither is a session", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    await signedUp(server, "ana@example.test");
    const answers = await Promise.all(
      ["ana@example.test", "nobody@example.test"].map((email) =>
        server.call({ path: "/auth/login", body: { email, password: "not this one" } }),
      ),
    );
    const [known, unknown] = answers.map(({ status, text, cookies }) => ({ status, text, cookies }));
    expect(known).toMatchObject({ status: 400, cookies: [] });
    expect(unknown).toEqual(known);
  });

  test("after five failures an email is closed to the right password too, for a quarter of an hour", async (context) => {
    await using servers = await twoServers(await open(context), {
      failuresPerEmail: DEFAULT_LIMITS.failuresPerEmail,
    });
    const { server, second } = servers;
    await signedUp(server, "ana@example.test");
    await signedUp(server, "bo@example.test");
    const logIn = async (email: string, password: string, by = server) =>
      (await by.call({ path: "/auth/login", body: { email, password } })).status;

    // Six that succeed count for nothing.
    for (let time = 0; time < 6; time++) expect(await logIn("ana@example.test", PASSWORD)).toBe(200);
    const guesses = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        logIn("ana@example.test", `guess ${at}`, at % 2 === 0 ? server : second),
      ),
    );
    expect(guesses.filter((status) => status === 400)).toHaveLength(5);
    expect(guesses.filter((status) => status === 429)).toHaveLength(15);
    expect(await logIn("ana@example.test", PASSWORD)).toBe(429);
    expect(await logIn("ANA@example.test", PASSWORD, second)).toBe(429);
    expect(await logIn("bo@example.test", PASSWORD)).toBe(200);
    await server.clock.advance(15 * MINUTE_MS);
    expect(await logIn("ana@example.test", PASSWORD)).toBe(200);
  });

  test("forgetting a password is answered alike for every email", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    await signedUp(server, "ana@example.test");
    const before = await tablesText(server.db);
    const answers = await Promise.all(
      ["ana@example.test", "nobody@example.test", "no email"].map((email) =>
        server.call({ path: "/auth/forgot-password", body: { email } }),
      ),
    );
    expect(answers[0]).toMatchObject({ status: 200, json: { success: true } });
    for (const { status, text } of answers)
      expect({ status, text }).toEqual({ status: 200, text: answers[0]?.text });
    expect(await tablesText(server.db)).toBe(before);
  });
}

function provisioning(open: OpenShared): void {
  test("provisioning a known email is refused, whoever it is, and nothing else happens", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    await signedUp(server, "ana@example.test");
    const first = await server.call({ path: "/api/provision", body: { email: "Bo@example.test" } });
    expect(first).toMatchObject({
      status: 201,
      json: { email: "bo@example.test", agentName: "my-agent", existingAccount: false },
    });
    const { apiKey } = first.json as { apiKey: string };
    expect(await statusOf(server, { authorization: `Bearer ${apiKey}` }, "/api/me")).toBe(200);

    const before = await tablesText(server.db);
    const refusals = await Promise.all(
      ["ana@example.test", "bo@example.test", "BO@EXAMPLE.TEST"].map((email) =>
        server.call({ path: "/api/provision", body: { email, agentName: "mine" } }),
      ),
    );
    expect(refusals.map(({ status }) => status)).toEqual([409, 409, 409]);
    expect(new Set(refusals.map(({ text }) => text)).size).toBe(1);
    expect(Object.keys(refusals[0]?.json as object).sort()).toEqual(["code", "error", "hint"]);
    // Nor can whoever knows the email take the account by signing up.
    const signUp = await server.call({
      path: "/auth/signup",
      body: { email: "bo@example.test", password: PASSWORD },
    });
    expect(signUp).toMatchObject({ status: 400, json: { code: "sign_up_refused" }, cookies: [] });
    expect(await tablesText(server.db)).toBe(before);
  });

  test("of many who provision one email at once, one gets a key", async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        (at % 2 === 0 ? server : second).call({ path: "/api/provision", body: { email: "bo@example.test" } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
  });

  test("a token of the operator's sets a password once, within a day, and ends all sessions", async (context) => {
    await using server = await testServer({ db: (await open(context)).db });
    const { db, ports } = server;
    const ana = await signedUp(server, "ana@example.test");
    const offer = () => db.write((tx) => createPasswordReset(tx, "ANA@example.test", ports));
    const reset = (token: string | undefined, password = "another long one") =>
      server.call({ path: "/auth/reset-password", body: { token, password } });

    const late = await offer();
    await server.clock.advance(DAY_MS);
    expect((await reset(late?.token)).status).toBe(400);
    const [offered, spare] = [await offer(), await offer()];
    expect((await reset(offered?.token, "short")).status).toBe(400);
    expect(await reset(offered?.token)).toMatchObject({ status: 200, json: { success: true } });
    for (const token of [offered?.token, spare?.token, ana.refresh, "dm_pr_", ""])
      expect((await reset(token)).status).toBe(400);
    expect((await refreshCall(server, ana.refresh)).status).toBe(401);
    const logIn = (password: string) =>
      server.call({ path: "/auth/login", body: { email: "ana@example.test", password } });
    expect((await logIn(PASSWORD)).status).toBe(400);
    expect((await logIn("another long one")).status).toBe(200);
    expect(await db.write((tx) => createPasswordReset(tx, "nobody@example.test", ports))).toBeUndefined();
  });
}

const refreshCall = (server: TestServer, token: string) =>
  server.call({ path: "/api/auth/refresh", body: { refresh_token: token } });

async function refreshed(server: TestServer, token: string): Promise<Pick<TestPerson, "bearer" | "refresh">> {
  const answer = await refreshCall(server, token);
  expect(answer).toMatchObject({ status: 200, json: { success: true } });
  return bearerOf(answer.json);
}

function bearerOf(json: unknown): Pick<TestPerson, "bearer" | "refresh"> {
  const { session } = json as { session: { access_token: string; refresh_token: string } };
  return { bearer: { authorization: `Bearer ${session.access_token}` }, refresh: session.refresh_token };
}

/** All rows of all tables as text: what somebody holds who copied the database. */
export async function tablesText(db: Database): Promise<string> {
  const tables =
    db.dialect === "sqlite"
      ? await db.all<{ name: string }>(
          "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%' ORDER BY name",
        )
      : await db.all<{ name: string }>(
          "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
        );
  const texts = [];
  for (const { name } of tables) {
    const rows = await db.all(`SELECT * FROM ${name}`);
    texts.push(`${name}\n${rows.map((row) => JSON.stringify(row)).join("\n")}`);
  }
  return texts.join("\n");
}
