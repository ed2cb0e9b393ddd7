import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpointTag, spkiPem } from "@darkmatter/proof";
import { openPostgres } from "@darkmatter/store";
import { type PrivatePostgres, startPrivatePostgres } from "@darkmatter/store/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { until } from "../testing/program.ts";
import { startLedgerServer } from "./ledger-server.ts";

const SLOW = 60_000;
const folder = mkdtempSync(join(tmpdir(), "dm-ledger-postgres-"));
let postgres: PrivatePostgres;

beforeAll(async () => {
  const started = await startPrivatePostgres();
  if ("missing" in started) throw new Error(started.missing);
  postgres = started;
}, SLOW);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** The way to a database, which can be cut. */
async function breakableWay(url: string) {
  const target = join(URL.parse(url)?.searchParams.get("host") ?? "", ".s.PGSQL.5432");
  const sockets = new Set<Socket>();
  const listen = async (port: number) => {
    const server = createServer((near) => {
      const far = connect(target);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => [near, far].map((one) => one.destroy()));
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as { port: number };
  return {
    url: `postgresql://tester:hunter2@127.0.0.1:${port}/postgres`,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    async mend() {
      server = await listen(port);
    },
    [Symbol.dispose]() {
      this.cut();
    },
  };
}

const newKey = () =>
  generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();

const pem = newKey();

const serverOver = (url: string, name: string, settings: Record<string, string> = {}) =>
  startLedgerServer({
    home: join(folder, name),
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: false,
    publish: undefined,
    settings: parseLedgerServerSettings({
      DARKMATTER_LEDGER_DATABASE: url,
      DARKMATTER_LOG_KEY: pem,
      ...settings,
    }),
  });

async function post(url: string, body: object, key?: string) {
  const headers = {
    "content-type": "application/json",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
  return { status: answer.status, said: (await answer.json()) as any };
}

test(
  "two servers on one database go on after it was gone; meanwhile they answer 503",
  async () => {
    using way = await breakableWay(postgres.url);
    await using one = await serverOver(way.url, "one");
    await using two = await serverOver(way.url, "two");
    expect(one.database).toBe("postgres");
    const { apiKey } = (await post(`${one.url}/api/provision`, { email: "you@example.org" })).said;
    const first = await post(`${two.url}/api/commit`, { payload: { step: 1 } }, apiKey);
    expect(first.status).toBe(200);

    way.cut();
    for (const { url } of [one, two]) {
      const refused = await post(`${url}/api/commit`, { payload: { step: 2 } }, apiKey);
      expect(refused.status).toBe(503);
      expect(refused.said).toMatchObject({ error: expect.any(String), code: "database_unreachable" });
      expect(JSON.stringify(refused.said)).not.toMatch(/hunter2|127\.0\.0\.1/);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      expect((await fetch(`${url}/readyz`)).status).toBe(503);
    }

    await way.mend();
    const next = async () =>
      post(`${one.url}/api/commit`, { payload: { step: 2 }, parentId: first.said.id }, apiKey);
    let second = await next();
    await until(async () => {
      if (second.status !== 200) second = await next();
      return second.status === 200;
    });
    const verified = await fetch(`${two.url}/api/verify/${second.said.id}`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(await verified.json()).toMatchObject({ chain_intact: true, length: 2 });
    // No file of its own, and nothing secret in the log.
    expect(existsSync(join(one.folder, "ledger.db"))).toBe(false);
    expect(readFileSync(one.log, "utf8")).not.toMatch(/hunter2|PRIVATE|dm_sk_/);
  },
  SLOW,
);

/** A database of its own; its URL. */
async function newDatabase(name: string): Promise<string> {
  await using db = await openPostgres({ url: postgres.url, connections: 1 });
  await db.all(`CREATE DATABASE ${name}`);
  return postgres.url.replace("/postgres?", `/${name}?`);
}

const ADMIN = "an-operators-secret-of-the-test-0123";

test(
  "of two servers with keys of their own that come to one database at once, one has its log and signs it",
  async () => {
    const url = await newDatabase("two_keys");
    const [one, other] = await Promise.allSettled(
      ["key-1", "key-2"].map((name) => serverOver(url, name, { DARKMATTER_LOG_KEY: newKey() })),
    );
    const refused = [one, other].find((outcome) => outcome?.status === "rejected");
    const started = [one, other].find((outcome) => outcome?.status === "fulfilled");
    expect(refused).toMatchObject({ reason: { code: "LOG_KEY_WRONG" } });
    if (started?.status !== "fulfilled") throw new Error("one of them has the log");
    await using server = started.value;
    const said = async () => (await fetch(`${server.url}/api/log/checkpoint`)).json();
    await until(async () => ((await said()) as { checkpoint: object | null }).checkpoint !== null);
    expect(await said()).toMatchObject({
      checkpoint: { tree_size: 5, checkpoint_id: expect.stringContaining(checkpointTag(server.logKey)) },
    });
  },
  SLOW,
);

test(
  "a process whose log went over to another key signs nothing more, and says that it has to end",
  async () => {
    const url = await newDatabase("changed_key");
    const admin = { DARKMATTER_LEDGER_ADMIN_SECRET: ADMIN };
    await using before = await serverOver(url, "before", { DARKMATTER_LOG_KEY: newKey(), ...admin });
    const sign = (at: string) => post(`${at}/api/log/checkpoint`, {}, ADMIN);
    expect((await sign(before.url)).status).toBe(200);
    const formerFile = join(folder, "former.pem");
    writeFileSync(formerFile, `valid-until: 2099-01-01T00:00:00Z\n${spkiPem(before.logKey)}`);
    await using after = await serverOver(url, "after", {
      DARKMATTER_LOG_KEY: newKey(),
      DARKMATTER_LOG_KEYS_FORMER: formerFile,
      ...admin,
    });
    const { apiKey } = (await post(`${before.url}/api/provision`, { email: "you@example.org" })).said;
    expect((await post(`${before.url}/api/commit`, { payload: {} }, apiKey)).status).toBe(200);
    expect(await sign(before.url)).toMatchObject({ status: 500, said: { code: "log_key_wrong" } });
    expect(await before.ended).toMatchObject({ code: "LOG_KEY_WRONG" });
    expect((await sign(after.url)).said.checkpoint).toMatchObject({
      tree_size: 6,
      checkpoint_id: expect.stringContaining(checkpointTag(after.logKey)),
    });
  },
  SLOW,
);
