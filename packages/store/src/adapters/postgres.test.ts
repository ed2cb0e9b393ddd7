import { spawn } from "node:child_process";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import type { Database } from "../database.ts";
import { migrate, storeMigrations } from "../index.ts";
import { databaseSuite } from "../testing/database-suite.ts";
import { startPrivatePostgres } from "../testing/private-postgres.ts";
import { tablesSuite } from "../testing/tables-suite.ts";
import { openPostgres } from "./postgres.ts";
import { numberParameters } from "./postgres-sql.ts";
import { postgresTarget, unreachableReason } from "./postgres-target.ts";

const CHILD = join(import.meta.dirname, "../testing/children/postgres-writer.ts");
const PROCESSES = 2;

let server: Awaited<ReturnType<typeof startPrivatePostgres>>;
let schemas = 0;
/** The library warns once a process, so it is heard from the first test on. */
const warnings: Error[] = [];
const onWarning = (warning: Error) => void warnings.push(warning);

beforeAll(async () => {
  process.on("warning", onWarning);
  server = await startPrivatePostgres();
}, 60_000);

afterAll(async () => {
  process.off("warning", onWarning);
  if ("url" in server) await server[Symbol.asyncDispose]();
}, 30_000);

function urlOf(context: TestContext): string {
  if ("missing" in server) return context.skip(server.missing);
  return server.url;
}

function open(context: TestContext): Promise<Database> {
  return openPostgres({ url: urlOf(context), schema: `s${++schemas}`, connections: 8 });
}

databaseSuite("PostgreSQL", open);
tablesSuite("PostgreSQL", open);

test("two processes on the same rows lose no count, break no chain and act once for each key", {
  timeout: 60_000,
}, async (context) => {
  const schema = `s${++schemas}`;
  const url = urlOf(context);
  await using db = await openPostgres({ url, schema });
  const tables = [
    "CREATE TABLE counters (n BIGINT)",
    "CREATE TABLE chain (at BIGINT PRIMARY KEY)",
    "CREATE TABLE acts (n BIGINT)",
  ];
  await migrate(db, [
    ...storeMigrations,
    { name: "test/shared", sql: [...tables, "INSERT INTO counters VALUES (0)"] },
  ]);

  const reports = await Promise.all(Array.from({ length: PROCESSES }, () => runChild(url, schema)));

  const acted = reports.reduce((sum, report) => sum + report.acted, 0);
  const fresh = reports.reduce((sum, report) => sum + report.fresh, 0);
  expect(acted).toBe(PROCESSES * 150);
  expect(fresh).toBe(150);
  expect(await db.get("SELECT n FROM counters")).toEqual({ n: acted });
  expect(await db.get("SELECT COUNT(*) AS count, MAX(at) AS last FROM chain")).toEqual({
    count: acted,
    last: acted,
  });
  expect(await db.get("SELECT COUNT(*) AS count, COUNT(DISTINCT n) AS keys FROM acts")).toEqual({
    count: 150,
    keys: 150,
  });
});

async function runChild(url: string, schema: string): Promise<{ acted: number; fresh: number }> {
  const child = spawn(process.execPath, [CHILD, url, schema], { stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(await text(child.stdout));
}

test("two acts that deadlock both land, because the loser runs again", async (context) => {
  await using db = await open(context);
  await db.write((tx) => tx.run("CREATE TABLE pair (id BIGINT PRIMARY KEY, n BIGINT)"));
  await db.write((tx) => tx.run("INSERT INTO pair VALUES (1, 0), (2, 0)"));
  const both = (first: number, second: number) =>
    db.write(async (tx) => {
      await tx.run("UPDATE pair SET n = n + 1 WHERE id = ?", first);
      await tx.get("SELECT pg_sleep(0.1)");
      await tx.run("UPDATE pair SET n = n + 1 WHERE id = ?", second);
    });
  await Promise.all([both(1, 2), both(2, 1)]);
  expect(await db.all("SELECT n FROM pair")).toEqual([{ n: 2 }, { n: 2 }]);
});

test("a body that hides a failed statement hears that its transaction was undone", async (context) => {
  await using db = await open(context);
  await db.write((tx) => tx.run("CREATE TABLE notes (id BIGINT PRIMARY KEY)"));
  const act = db.write(async (tx) => {
    await tx.run("INSERT INTO notes VALUES (1)");
    await tx.run("INSERT INTO notes VALUES (1)").catch(() => 0);
  });
  await expect(act).rejects.toMatchObject({ code: "TRANSACTION_ABORTED" });
  expect(await db.all("SELECT id FROM notes")).toEqual([]);
});

test("a connection that is cut fails its act and no other", async (context) => {
  const reported: unknown[] = [];
  const url = urlOf(context);
  await using db = await openPostgres({
    url,
    schema: `s${++schemas}`,
    report: (error) => void reported.push(error),
  });
  const cut = db.write((tx) => tx.get("SELECT pg_terminate_backend(pg_backend_pid())"));
  await expect(cut).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  expect(await db.write((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
});

test("a schema may be made from several sides at once", async (context) => {
  const url = urlOf(context);
  const schema = `s${++schemas}`;
  const opened = await Promise.all(Array.from({ length: 6 }, () => openPostgres({ url, schema })));
  await Promise.all(opened.map((db) => db.close()));
});

test("statements asked for at once reach the library one by one, as its next version demands", async (context) => {
  await using db = await open(context);
  await db.write((tx) => Promise.all([1, 2, 3].map((n) => tx.get("SELECT ? ::BIGINT AS n", n))));
  await db.write((tx) => Promise.all([tx.run("NONSENSE"), tx.get("SELECT 1 AS n")])).catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});

test("a server that is not there is unreachable", async () => {
  const gone = openPostgres({ url: "postgresql://tester@localhost/postgres?host=/nonexistent-folder" });
  await expect(gone).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
});

test("a database or a user that the server does not have is named as what is wrong", async (context) => {
  const other = (parts: Partial<Pick<URL, "pathname" | "username">>) =>
    openPostgres({ url: Object.assign(new URL(urlOf(context)), parts).href }).catch(
      (error: unknown) => error,
    );
  const refused = { code: "DATABASE_UNREACHABLE" };
  expect(await other({ pathname: "/nosuch" })).toMatchObject({
    ...refused,
    message: expect.stringMatching(/no database of this name\. It was asked for at .*\.s\.PGSQL\.\d+\./),
  });
  expect(await other({ username: "nosuch" })).toMatchObject({
    ...refused,
    message: expect.stringContaining("user or password"),
  });
});

/** Something that listens and is no PostgreSQL: it answers what a client says first. */
async function stranger(answer: (socket: Socket) => void) {
  const listening = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port } = listening.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => void listening.close() };
}

/** What a URL is refused with, and whether its password is anywhere in it. */
async function refusalOf(url: string) {
  const error = await openPostgres({ url }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const { code, message } = error as { code: string; message: string };
  expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hunter|2secret/);
  return `${code} ${message}`;
}

test("what keeps a database from being reached is said, with host and port and without the password", async () => {
  const to = (port: number, query = "") => `postgresql://tester:hunter2secret@127.0.0.1:${port}/db${query}`;
  let free: number;
  {
    using closing = await stranger((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const { port } = closing;
    free = port;
    expect(await refusalOf(to(port))).toBe(
      `DATABASE_UNREACHABLE The database at 127.0.0.1:${port} cannot be reached: what answers there may be no PostgreSQL.`,
    );
  }
  expect(await refusalOf(to(free))).toContain(
    `at 127.0.0.1:${free} cannot be reached: nothing listens there.`,
  );
  using plainOnly = await stranger((socket) => socket.end("N"));
  for (const mode of ["require", "prefer", "verify-ca", "verify-full", "no-verify"]) {
    const refused = await refusalOf(to(plainOnly.port, `?sslmode=${mode}`));
    expect(refused, mode).toContain(`at 127.0.0.1:${plainOnly.port} cannot be reached: it offers no TLS`);
  }
  await new Promise((resolve) => setImmediate(resolve));
  // The library would warn that these modes will mean something else one day.
  expect(warnings).toEqual([]);

  const coded = (code: string) => Object.assign(new Error("said by the other side"), { code });
  expect(unreachableReason(coded("ENOTFOUND"))).toBe("no host of this name is known");
  expect(unreachableReason(coded("DEPTH_ZERO_SELF_SIGNED_CERT"))).toMatch(/certificate.*sslrootcert/);
  expect(unreachableReason(coded("ELSE"))).not.toContain("other side");
});

test("a URL that is cut by a sign in its password is refused before anything is asked for", async () => {
  for (const password of [
    "12#hunter2secret",
    "hunter#2secret",
    "12/hunter2secret",
    "12?hunter2secret",
    "hunter/2secret",
  ]) {
    const refused = await refusalOf(`postgresql://tester:${password}@127.0.0.1:1/db`);
    expect(refused, password).toMatch(/^DATABASE_URL_REFUSED The database's URL is .*# as %23/);
  }
  const named = await refusalOf(
    "postgresql://tester:hunter2secret@127.0.0.1:1/db?sslrootcert=/nonexistent/ca.pem",
  );
  expect(named).toContain("names the file /nonexistent/ca.pem, which cannot be read");
  const strict = (query: string) =>
    postgresTarget(`postgresql://h/d${query}`, () => ({ host: "h", port: 1 })).url;
  expect(strict("?sslmode=require&x=1")).toBe("postgresql://h/d?sslmode=verify-full&x=1");
  expect(strict("?uselibpqcompat=true&sslmode=require")).toMatch(/sslmode=require$/);
  expect(strict("?sslmode=no-verify")).toMatch(/no-verify$/);
});

test("an integer that no number holds exactly is refused", async (context) => {
  await using db = await open(context);
  await expect(db.get("SELECT 9007199254740993 ::BIGINT AS n")).rejects.toMatchObject({
    code: "DATABASE_DAMAGED",
  });
});

test("parameters are numbered, and marks in strings, names and comments are not parameters", () => {
  expect(numberParameters("SELECT ? , '?''?', \"a?\" -- ?\n /* ? */ WHERE x = ?")).toBe(
    "SELECT $1 , '?''?', \"a?\" -- ?\n /* ? */ WHERE x = $2",
  );
  const piece = fc.oneof(
    fc.constant("?"),
    fc.constantFrom(" ", "a", "= ", ","),
    fc.string().map((s) => `'${s.replaceAll("'", "''")}'`),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      let count = 0;
      const expected = pieces.map((each) => (each === "?" ? `$${++count}` : each)).join(" ");
      expect(numberParameters(pieces.join(" "))).toBe(expected);
    }),
  );
});
