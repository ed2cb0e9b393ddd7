import { expect, test } from "vitest";
import { loggedIn, PASSWORD, signedUp } from "../../testing/sessions.ts";
import { type TestServer, testServer } from "../../testing/test-server.ts";

const OWN = "http://ledger.test";
const STRANGERS = [
  "https://evil.example",
  "null",
  "http://ledger.test.evil.example",
  "http://ledger.test:81",
];

const makeAgent = (server: TestServer, headers: Record<string, string>) =>
  server.call({ path: "/dashboard/agents", body: { agentName: "made" }, headers });

test("a session's cookies are out of reach of scripts and of other sites", async () => {
  await using server = await testServer({ config: { secureCookies: true } });
  const body = { email: "ana@example.test", password: PASSWORD };
  const { cookies, json } = await server.call({ path: "/auth/signup", body });
  const { session } = json as {
    session: { access_token: string; refresh_token: string; expires_in: number };
  };
  expect(cookies).toEqual([
    `dm_access=${session.access_token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure`,
    `dm_refresh=${session.refresh_token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=7776000; Secure`,
  ]);
  expect(session.expires_in).toBe(3600);
});

test("a write by cookie comes from one of the server's own pages, or is refused", async () => {
  await using server = await testServer({ config: { allowedOrigins: ["https://friend.example"] } });
  const ana = await signedUp(server, "ana@example.test");
  for (const origin of [...STRANGERS, "https://friend.example"])
    expect(await makeAgent(server, { ...ana.cookies, origin })).toMatchObject({
      status: 403,
      json: { code: "cross_site" },
    });
  expect((await makeAgent(server, ana.cookies)).status).toBe(403);
  const gone = { method: "DELETE", path: "/dashboard/agents/dm_0000000000000000" };
  expect((await server.call({ ...gone, headers: ana.cookies })).status).toBe(403);
  expect((await server.call({ ...gone, headers: { ...ana.cookies, origin: OWN } })).status).toBe(404);

  expect((await makeAgent(server, { ...ana.cookies, origin: OWN })).status).toBe(200);
  // Whoever holds the token itself is no page that only has the browser's cookies.
  expect((await makeAgent(server, { ...ana.bearer, origin: "https://evil.example" })).status).toBe(200);
  const list = { path: "/dashboard/agents", headers: { ...ana.cookies, origin: "https://evil.example" } };
  expect((await server.call(list)).status).toBe(200);
});

test("cookies of another site's page neither log out nor renew", async () => {
  await using server = await testServer();
  const ana = await signedUp(server, "ana@example.test");
  for (const path of ["/auth/logout", "/api/auth/refresh"])
    for (const headers of [ana.cookies, { ...ana.cookies, origin: "https://evil.example" }])
      expect((await server.call({ method: "POST", path, headers })).status).toBe(403);
  expect((await server.call({ path: "/dashboard/agents", headers: ana.bearer })).status).toBe(200);
  // Browsers leave the cookies out, and would let the answer take them away.
  const sent = await server.call({
    method: "POST",
    path: "/auth/logout",
    headers: { origin: "https://evil.example" },
  });
  expect([sent.status, sent.cookies]).toEqual([403, []]);

  const renewed = await server.call({
    method: "POST",
    path: "/api/auth/refresh",
    headers: { ...ana.cookies, origin: OWN },
  });
  // A page's scripts learn nothing that the cookies hold.
  expect(renewed).toMatchObject({ status: 200, text: '{"success":true}' });
  expect(renewed.cookies).toHaveLength(2);
  const cookie = renewed.cookies.map((each) => each.split(";")[0]).join("; ");
  expect((await server.call({ path: "/dashboard/agents", headers: { cookie } })).status).toBe(200);
});

test("nobody is logged in, by a stranger's page, to an account of the stranger's", async () => {
  await using server = await testServer();
  await signedUp(server, "ana@example.test");
  const body = JSON.stringify({ email: "ana@example.test", password: PASSWORD });
  for (const path of ["/auth/login", "/auth/signup", "/api/provision"])
    for (const origin of STRANGERS) {
      const answer = await server.call({ path, body, headers: { origin, "content-type": "text/plain" } });
      expect([answer.status, answer.cookies]).toEqual([403, []]);
    }
  expect((await server.call({ path: "/auth/login", body, headers: { origin: OWN } })).status).toBe(200);
});

test("tokens that a client brings to its log-in are never its session afterwards", async () => {
  await using server = await testServer();
  const mallory = await signedUp(server, "mallory@example.test");
  await signedUp(server, "ana@example.test");
  const planted = `dm_at_${"ab".repeat(32)}`;
  for (const cookie of [
    mallory.cookies.cookie,
    `dm_access=${planted}; dm_refresh=dm_rt_${"cd".repeat(32)}`,
  ]) {
    const answer = await server.call({
      path: "/auth/login",
      body: { email: "ana@example.test", password: PASSWORD },
      headers: { cookie, origin: OWN },
    });
    const [access, refresh] = answer.cookies.map((each) => each.split(";")[0]?.split("=")[1]);
    expect(answer.status).toBe(200);
    expect(cookie).not.toContain(access);
    expect(cookie).not.toContain(refresh);
  }
  expect(
    (await server.call({ path: "/dashboard/agents", headers: { cookie: `dm_access=${planted}` } })).status,
  ).toBe(401);
  // What mallory planted is still mallory's, and nobody else's.
  await makeAgent(server, { ...mallory.bearer });
  const again = await loggedIn(server, "ana@example.test");
  expect((await server.call({ path: "/dashboard/agents", headers: again.bearer })).json).toEqual([]);
});

test("of a cookie that comes twice, none counts", async () => {
  await using server = await testServer();
  const [ana, bo] = [await signedUp(server, "ana@example.test"), await signedUp(server, "bo@example.test")];
  const cookie = `dm_access=${ana.access}; dm_access=${bo.access}`;
  expect((await server.call({ path: "/dashboard/agents", headers: { cookie } })).status).toBe(401);
});

test("pages of listed origins may call, without cookies; others are told nothing", async () => {
  const allowedOrigins = ["https://friend.example"];
  await using server = await testServer({ config: { allowedOrigins } });
  await using closed = await testServer();
  const asked = (on: TestServer, origin: string) =>
    on.call({
      method: "OPTIONS",
      path: "/api/commit",
      headers: { origin, "access-control-request-method": "POST" },
    });
  const granted = await asked(server, "https://friend.example");
  expect(granted).toMatchObject({
    status: 204,
    headers: { "access-control-allow-origin": "https://friend.example", vary: "origin" },
  });
  expect(granted.headers["access-control-allow-headers"]).toContain("authorization");
  expect(granted.headers).not.toHaveProperty("access-control-allow-credentials");
  for (const [on, origin] of [
    [server, "https://evil.example"],
    [server, "https://friend.example.evil.example"],
    [server, "null"],
    [closed, "https://friend.example"],
  ] as const) {
    const refused = await asked(on, origin);
    expect(refused.status).toBe(405);
    expect(refused.headers).not.toHaveProperty("access-control-allow-origin");
    const read = await on.call({ path: "/healthz", headers: { origin } });
    expect(read.headers).not.toHaveProperty("access-control-allow-origin");
  }
  const read = await server.call({ path: "/healthz", headers: { origin: "https://friend.example" } });
  expect(read.headers).toMatchObject({ "access-control-allow-origin": "https://friend.example" });
});

test("every answer, refusals too, is what its type says, in no frame and in no cache", async () => {
  await using server = await testServer();
  const ana = await server.account();
  for (const answer of [
    await server.call({ path: "/api/me" }, ana),
    await server.call({ path: "/api/me" }),
    await server.call({ path: "/no/such/path" }),
    await server.call({ method: "PUT", path: "/api/commit" }),
  ])
    expect(answer.headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "cache-control": "no-store",
      "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
    });
});
