import { MINUTE_MS } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { createHandler } from "@darkmatter/surface";
import { callHandler } from "@darkmatter/surface/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { tablesText } from "../../testing/accounts-suite.ts";
import { PASSWORD, signedUp } from "../../testing/sessions.ts";
import { type TestServer, type TestServerOptions, testServer } from "../../testing/test-server.ts";
import { sealedSecrets } from "../agents/adapters/sealed-secrets.ts";
import { createWays } from "../callers.ts";
import { serverError } from "../errors.ts";
import { answer } from "../json-text.ts";
import { createPasswordReset } from "./accounts.ts";
import { scryptPasswords } from "./adapters/scrypt-passwords.ts";

/** The real algorithm, at a thousandth of its cost. */
const QUICK = { logN: 4, r: 8, p: 1 };
const quickPasswords = () => scryptPasswords(seededRandom(11), QUICK);

test("a copy of the database, and all that was reported, holds no secret that was ever given or issued", async () => {
  const reports: unknown[] = [];
  await using server = await testServer({
    ports: { passwords: quickPasswords(), report: (...report) => reports.push(report) },
  });
  const secrets = await everySecret(server);
  expect(secrets.length).toBeGreaterThanOrEqual(12);
  const kept = `${await tablesText(server.db)}${JSON.stringify(reports)}`;
  expect(kept).toContain("ana@example.test");
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThanOrEqual(8);
    // Neither as it is nor its random part, in text or as bytes written in base64.
    const bare = secret.replace(/^dm_[a-z]{2}_/, "");
    for (const form of [
      bare,
      // What all refresh tokens of a session have in common is as secret.
      bare.slice(0, 32),
      Buffer.from(bare).toString("base64").slice(0, -3),
      Buffer.from(bare).toString("hex"),
    ])
      expect(kept.includes(form), secret).toBe(false);
  }
});

/** Uses everything that gives or takes a secret. */
async function everySecret(server: TestServer): Promise<string[]> {
  const ana = await signedUp(server, "ana@example.test");
  const secrets = [ana.access, ana.refresh, PASSWORD, "a whole new password", "the hook's own secret"];
  const post = async (path: string, body: object = {}) => {
    const { json } = await server.call({ path, body, headers: ana.bearer });
    return json as { agentId: string; apiKey: string; session: Record<string, string> };
  };
  const made = await post("/dashboard/agents", { agentName: "made" });
  const rotated = await post(`/dashboard/agents/${made.agentId}/rotate`);
  await post(`/dashboard/agents/${made.agentId}/webhook`, {
    webhookUrl: "https://example.com/",
    webhookSecret: "the hook's own secret",
  });
  const provisioned = await post("/api/provision", { email: "bo@example.test" });
  const spawned = await server.call({
    path: "/api/agents/register",
    body: { agentName: "spawned" },
    headers: { authorization: `Bearer ${rotated.apiKey}` },
  });
  const renewed = await post("/api/auth/refresh", { refresh_token: ana.refresh });
  const offer = () => server.db.write((tx) => createPasswordReset(tx, "ana@example.test", server.ports));
  const [used, unused] = [await offer(), await offer()];
  await post("/auth/login", { email: "ana@example.test", password: "guessed wrongly" });
  await post("/auth/reset-password", { token: used?.token, password: "a whole new password" });
  // A session that is still there: setting the password ended the others.
  const present = await post("/auth/login", { email: "ana@example.test", password: "a whole new password" });
  await server.call({ path: "/api/me", headers: { authorization: "Bearer dm_sk_none" } });
  const { apiKey } = spawned.json as { apiKey: string };
  const issued = [made.apiKey, rotated.apiKey, provisioned.apiKey, apiKey];
  issued.push(...Object.values(renewed.session), ...Object.values(present.session));
  const tokens = [used?.token, unused?.token].filter((token) => token !== undefined);
  return [...secrets, ...issued.filter((text) => /^dm_/.test(text)), ...tokens, "guessed wrongly"];
}

test("a credential of one kind is none of another, and what is none is refused alike on every route", async () => {
  await using server = await testServer();
  const agent = await server.account();
  const ana = await signedUp(server, "ana@example.test");
  const ended = await signedUp(server, "ended@example.test");
  await server.call({ method: "POST", path: "/auth/logout", headers: { ...ended.bearer } });
  const wrong = {
    key: [ana.access, ana.refresh],
    session: [agent.key, ana.refresh, ended.access],
    "key or session": [ana.refresh, ended.access],
    admin: [agent.key, ana.access],
  };
  const forged = [
    agent.key.toUpperCase(),
    agent.key.slice(0, -1),
    `${agent.key}0`,
    `dm_sk_${"0".repeat(48)}`,
    "x",
  ];
  const takes = {
    key: /takes an agent's API key, and no session/,
    session: /takes no API key but a session.*\/api\/auth\/refresh/,
    "key or session": /takes an agent's API key, .*, or a session.*\/api\/auth\/refresh/,
    admin: /takes the operator's secret/,
  };
  /** What was once good is answered as what never was: nobody learns which. */
  const answers = new Map<string, Set<string>>();
  let tried = 0;
  for (const { method, path, contract } of server.server.routes) {
    const kind = contract?.caller;
    if (kind !== "key" && kind !== "session" && kind !== "key or session" && kind !== "admin") continue;
    const url = path.replaceAll(/:\w+/g, "some-id");
    const headers: Record<string, string>[] = [
      {},
      ...[...wrong[kind], ...forged].map((token) => ({ authorization: `Bearer ${token}` })),
      { authorization: `Basic ${Buffer.from(`x:${agent.key}`).toString("base64")}` },
      { authorization: agent.key, cookie: `dm_access=${ana.access}` },
      { cookie: `dm_access=${agent.key}`, origin: "http://ledger.test" },
      { cookie: `dm_access=${ana.refresh}`, origin: "http://ledger.test" },
    ];
    for (const each of headers) {
      const { status, json } = await server.call({ method, path: url, headers: each });
      expect((json as { hint?: string }).hint, path).toMatch(takes[kind]);
      answers.set(kind, (answers.get(kind) ?? new Set()).add(JSON.stringify(json)));
      expect([path, each, status, (json as { code?: string }).code]).toEqual([
        path,
        each,
        401,
        "unauthorized",
      ]);
      tried++;
    }
  }
  expect(tried).toBeGreaterThan(100);
  expect([...answers.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1]);
  const refresh = (refresh_token: string) =>
    server.call({ method: "POST", path: "/api/auth/refresh", body: { refresh_token } });
  const [spent, never] = [await refresh(ended.refresh), await refresh("dm_rt_")];
  expect(spent).toMatchObject({
    status: 401,
    json: { hint: expect.stringMatching(/refresh token.*\/auth\/login/) },
  });
  expect(spent.text).toBe(never.text);
});

test("where both are welcome, an agent comes by its key and a person by a session", async () => {
  await using server = await testServer();
  const agent = await server.account();
  const ana = await signedUp(server, "ana@example.test");
  const list = (headers: Record<string, string>) => server.call({ path: "/api/signing-keys", headers });
  for (const headers of [{ authorization: `Bearer ${agent.key}` }, ana.bearer, ana.cookies])
    expect((await list({ ...headers })).status).toBe(200);
});

test("no token, whatever it is, is taken for a session or ends in anything but 401", async () => {
  await using server = await testServer();
  await signedUp(server, "ana@example.test");
  const header = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((unit) => String.fromCharCode(unit)),
  });
  await fc.assert(
    fc.asyncProperty(header, header, async (token, cookie) => {
      const ways: Record<string, string>[] = [
        { authorization: `Bearer ${token}` },
        { cookie: `dm_access=${cookie}` },
        { cookie },
      ];
      for (const headers of ways)
        expect((await server.call({ path: "/dashboard/agents", headers })).status).toBe(401);
    }),
    { numRuns: 100 },
  );
});

test("an administrator is who knows the secret, or a listed agent by its id; guesses are counted", async () => {
  const limits = { publicCallsAMinute: 5 };
  await using server = await adminServer({ limits });
  const [listed, named] = [await server.account("admin"), await server.account("admin")];
  server.admins.push(listed.id);
  const call = (token: string, remote = "192.0.2.1") =>
    callHandler(server.admin, {
      method: "POST",
      path: "/admin",
      headers: { authorization: `Bearer ${token}` },
      remote,
    });
  expect((await call("admin-secret-of-the-test")).status).toBe(200);
  expect((await call(listed.key)).status).toBe(200);
  expect((await call(named.key)).status).toBe(401);
  expect((await call("admin-secret-of-the-tesT")).status).toBe(401);
  expect((await call("admin")).status).toBe(401);
  expect((await call("admin-secret-of-the-test")).status).toBe(429);
  expect((await call("admin-secret-of-the-test", "192.0.2.2")).status).toBe(200);

  await using closed = await adminServer({ config: { adminSecret: undefined } });
  for (const token of ["undefined", "", "admin-secret-of-the-test"]) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await callHandler(closed.admin, { method: "POST", path: "/admin", headers })).status).toBe(401);
  }
});

/** A server with one route for administrators. */
async function adminServer(options: TestServerOptions) {
  const admins: string[] = [];
  const server = await testServer({ ...options, config: { ...options.config, adminAgents: admins } });
  const ways = createWays(server.ports, { findSession: async () => undefined, onKeyUsed: () => undefined });
  const route = ways.byAdmin({
    method: "POST",
    path: "/admin",
    summary: "",
    contract: { tag: "", answers: {}, examples: [] },
    handle: async () => answer(200, {}),
  });
  const admin = createHandler([route], {
    onError: ({ error }) => expect.unreachable(String(error)),
    refuse: ({ status, code }) => answer(status, { code }),
  });
  return { ...server, admin, admins };
}

test("addresses are counted by what the socket or a trusted proxy says, whole networks of IPv6 as one", async () => {
  const limits = { publicCallsAMinute: 2 };
  const statuses = async (trustProxy: boolean, calls: readonly (readonly [string, string?])[]) => {
    await using server = await testServer({ limits, config: { trustProxy } });
    const seen = [];
    for (const [remote, forwarded] of calls)
      seen.push(
        (
          await server.call({
            method: "POST",
            path: "/auth/logout",
            remote,
            headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
          })
        ).status,
      );
    return seen;
  };
  const proxy = "192.0.2.1";
  expect(
    await statuses(false, [
      [proxy, "198.51.100.1"],
      [proxy, "198.51.100.2"],
      [proxy, "198.51.100.3"],
    ]),
  ).toEqual([200, 200, 429]);
  expect(
    await statuses(true, [
      [proxy, "198.51.100.1"],
      [proxy, "198.51.100.2"],
      [proxy, "198.51.100.3"],
    ]),
  ).toEqual([200, 200, 200]);
  // What a caller writes before the proxy's own entry changes nothing.
  expect(
    await statuses(true, [
      [proxy, "1.1.1.1, 198.51.100.1"],
      [proxy, "2.2.2.2, 198.51.100.1"],
      [proxy, "3.3.3.3,198.51.100.1"],
    ]),
  ).toEqual([200, 200, 429]);
  expect(
    await statuses(true, [
      [proxy, "junk"],
      [proxy, "more junk"],
      [proxy, ""],
    ]),
  ).toEqual([200, 200, 429]);
  expect(
    await statuses(false, [
      ["2001:db8:1:2::1"],
      ["2001:db8:1:2:ffff::9"],
      ["2001:db8:1:2::3"],
      ["2001:db8:1:3::1"],
    ]),
  ).toEqual([200, 200, 429, 200]);
});

test("sign-ins and provisioning are counted by address, each by its own limit", async () => {
  await using server = await testServer({ limits: { signInsPerAddress: 20, provisionsAnHour: 10 } });
  const logIn = (at: number, remote = "192.0.2.1") =>
    server.call({ path: "/auth/login", body: { email: `p${at}@example.test`, password: "guess" }, remote });
  for (let at = 0; at < 20; at++) expect((await logIn(at)).status).toBe(400);
  expect(await logIn(20)).toMatchObject({ status: 429, headers: { "retry-after": "900" } });
  for (const path of ["/auth/signup", "/auth/forgot-password", "/auth/reset-password"])
    expect((await server.call({ path, body: {}, remote: "192.0.2.1" })).status).toBe(429);
  expect((await logIn(21, "192.0.2.2")).status).toBe(400);
  const provision = (at: number) =>
    server.call({ path: "/api/provision", body: { email: `q${at}@example.test` }, remote: "192.0.2.1" });
  for (let at = 0; at < 10; at++) expect((await provision(at)).status).toBe(201);
  expect(await provision(10)).toMatchObject({ status: 429, headers: { "retry-after": "3600" } });
});

test("passwords are hashed with a salt and the cost beside it, and cost the same where there is none", async () => {
  const passwords = quickPasswords();
  const [one, two] = [await passwords.hash("pässword"), await passwords.hash("pässword")];
  expect(one).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(one).not.toBe(two);
  expect(await passwords.verify("pässword", one)).toBe(true);
  expect(await scryptPasswords(seededRandom(1), { logN: 5, r: 8, p: 2 }).verify("pässword", one)).toBe(true);
  const wrong = ["passwort", "", "pässword "];
  for (const password of wrong) expect(await passwords.verify(password, one)).toBe(false);
  for (const hash of [undefined, "", "pässword", one.replace("ln=4", "ln=5"), one.slice(0, -1)])
    expect(await passwords.verify("pässword", hash)).toBe(false);
});

test("a log-in and a sign-up cost a hash whether the email is known or not", async () => {
  const acts: string[] = [];
  const plain = quickPasswords();
  const passwords = {
    async hash(password: string) {
      acts.push("hash");
      return plain.hash(password);
    },
    async verify(password: string, hash: string | undefined) {
      acts.push(`verify ${hash === undefined ? "nothing" : "a hash"}`);
      return plain.verify(password, hash);
    },
  };
  await using server = await testServer({ ports: { passwords } });
  const post = (path: string, email: string) => server.call({ path, body: { email, password: PASSWORD } });
  await post("/api/provision", "bo@example.test");
  for (const path of ["/auth/signup", "/auth/login"])
    for (const email of ["ana@example.test", "ana@example.test", "bo@example.test", "nobody@example.test"])
      if (path === "/auth/login" || email !== "nobody@example.test") await post(path, email);
  expect(acts).toEqual([
    ...["hash", "hash", "hash"],
    ...["verify a hash", "verify a hash", "verify nothing", "verify nothing"],
  ]);
});

test("of more log-ins than can wait, the last are sent away and the others answered", async () => {
  const passwords = quickPasswords();
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => passwords.hash("password")));
  const refused = outcomes.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(50 - 18);
  expect(refused[0]).toMatchObject({ reason: { code: "overloaded", status: 503 } });
  expect(await passwords.verify("password", await passwords.hash("password"))).toBe(true);
});

test("a log-in that was sent away unlooked at is no failure; a wrong password is one", async () => {
  let isBusy = true;
  const passwords = {
    hash: async (password: string) => password,
    async verify(password: string, hash: string | undefined) {
      if (isBusy) throw serverError("overloaded");
      return password === hash;
    },
  };
  await using server = await testServer({ ports: { passwords }, limits: { failuresPerEmail: 2 } });
  const logIn = async (password: string) =>
    (await server.call({ path: "/auth/login", body: { email: "ana@example.test", password } })).status;
  await server.call({ path: "/auth/signup", body: { email: "ana@example.test", password: PASSWORD } });
  for (let time = 0; time < 3; time++) expect(await logIn(PASSWORD)).toBe(503);
  isBusy = false;
  expect([await logIn(PASSWORD), await logIn("wrong"), await logIn("wrong")]).toEqual([200, 400, 400]);
  expect(await logIn(PASSWORD)).toBe(429);
});

test("a fault of the database's closes no account, and is no way to guess", async () => {
  await using server = await testServer({ limits: { failuresPerEmail: 2 } });
  const { db } = server;
  const logIn = async (password: string) =>
    (await server.call({ path: "/auth/login", body: { email: "ana@example.test", password } })).status;
  await server.call({ path: "/auth/signup", body: { email: "ana@example.test", password: PASSWORD } });
  const { get, write } = db;
  const gone = () => Promise.reject(new Error("the database is gone"));
  db.get = gone;
  for (let time = 0; time < 3; time++) expect(await logIn(PASSWORD)).toBe(500);
  db.get = get;
  db.write = gone;
  for (let time = 0; time < 3; time++) expect(await logIn(PASSWORD)).toBe(500);
  expect([await logIn("wrong"), await logIn("wrong"), await logIn("wrong")]).toEqual([400, 400, 429]);
  db.write = write;
  expect(await logIn(PASSWORD)).toBe(429);
});

test("what is taken back counts in the window it was counted in", async () => {
  const { promise: looking, reject: giveUp } = Promise.withResolvers<boolean>();
  const passwords = {
    hash: async (password: string) => password,
    verify: (password: string) => (password === "slow" ? looking : Promise.resolve(false)),
  };
  await using server = await testServer({ ports: { passwords }, limits: { failuresPerEmail: 2 } });
  const logIn = async (password: string) =>
    (await server.call({ path: "/auth/login", body: { email: "ana@example.test", password } })).status;
  const slow = logIn("slow");
  await server.clock.advance(15 * MINUTE_MS);
  expect([await logIn("wrong"), await logIn("wrong")]).toEqual([400, 400]);
  giveUp(serverError("overloaded"));
  expect([await slow, await logIn("wrong")]).toEqual([503, 429]);
});

test("a sealed secret opens for its owner under its key, and for nothing else", () => {
  const [ours, theirs] = [1, 2].map((byte) =>
    sealedSecrets(new Uint8Array(32).fill(byte), seededRandom(byte)),
  );
  const sealed = ours?.seal("hush", "dm_1") ?? "";
  expect(sealed).not.toContain(Buffer.from("hush").toString("hex"));
  expect(ours?.seal("hush", "dm_1")).not.toBe(sealed);
  expect(ours?.open(sealed, "dm_1")).toBe("hush");
  expect(ours?.open(sealed, "dm_2")).toBeUndefined();
  expect(theirs?.open(sealed, "dm_1")).toBeUndefined();
  for (let at = 0; at < sealed.length; at += 2) {
    const changed = `${sealed.slice(0, at)}${sealed.slice(at, at + 2) === "00" ? "01" : "00"}${sealed.slice(at + 2)}`;
    expect(ours?.open(changed, "dm_1")).toBeUndefined();
  }
  expect(ours?.open("", "dm_1")).toBeUndefined();
});
