import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PrivatePostgres, startPrivatePostgres } from "@darkmatter/store/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLedgerServerSettings } from "../ledger-server-config.ts";
import { until } from "../testing/program.ts";
import { startLedgerServer } from "./ledger-server.ts";

const SLOW = 60_000;
const folder = mkdtempSync(join(tmpdir(), "dm-ledger-postgres-"));
const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
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

const serverOver = (url: string, name: string) =>
  startLedgerServer({
    home: join(folder, name),
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    trustProxy: false,
    isDevelopment: false,
    publish: undefined,
    settings: parseLedgerServerSettings({ DARKMATTER_LEDGER_DATABASE: url, DARKMATTER_LOG_KEY: pem }),
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
      expect(refused.said).toMatchObject({ error: expect.any(String), code: "DATABASE_UNREACHABLE" });
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
