import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { sha256Hex, utf8 } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import type { Headers } from "@darkmatter/net";
import { createHandler } from "@darkmatter/surface";
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeError } from "../errors.ts";
import type { Bundle } from "./adapters/bundle.ts";
import { bootstrapRoutes } from "./bootstrap.routes.ts";
import { templateTool } from "./bootstrap.tools.ts";
import { baseOf, bootstrapScript, NODE_PACKAGES } from "./script.ts";

const BYTES = utf8("console.log('hello')");
const BUNDLE: Bundle = { bytes: BYTES, sha256: sha256Hex(BYTES) };

function node(bundle = async () => BUNDLE) {
  const handler = createHandler(bootstrapRoutes(bundle, virtualClock()), { onError: () => undefined });
  return (path: string, headers: Headers = { host: "node.example:8100" }, address = "192.0.2.7") =>
    handler({
      method: "GET",
      path,
      query: "",
      headers,
      body: new Uint8Array(),
      remote: { address, loopback: false },
      signal: new AbortController().signal,
    });
}

test("the script names the address it was asked at and the hash of what it fetches", async () => {
  const { status, headers, body } = await node()("/bootstrap");
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(body).toContain("base='http://node.example:8100'\n");
  expect(body).toContain(`sha256='${BUNDLE.sha256}'\n`);
  const proxied = { host: "node.example", "x-forwarded-proto": "https" };
  expect((await node()("/bootstrap", proxied)).body).toContain("base='https://node.example'\n");
});

test.each([
  "a;touch x",
  "a'b",
  "$(id)",
  "`id`",
  'a"b',
  "a b",
  "a\\b",
  "a/b",
  "a@b",
  "a\nb",
  "a\r\nx: y",
  "ünï.example",
  "ａ.example",
  "a\u0000b",
  "",
  "a".repeat(256),
])("a request for the host %j is answered 400", async (host) => {
  const { status, body } = await node()("/bootstrap", { host });
  expect(status).toBe(400);
  if (host !== "") expect(body).not.toContain(host);
});

test.each(["javascript", "http'", "file", "https\n", "HTTP", ""])(
  "a request by the scheme %j is answered 400",
  async (scheme) => {
    const headers = { host: "a.example", "x-forwarded-proto": scheme };
    expect((await node()("/bootstrap", headers)).status).toBe(400);
  },
);

test("a request without a host is answered 400", async () => {
  expect((await node()("/bootstrap", {})).status).toBe(400);
});

test("whatever is let into the script holds no word of the shell", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[\w.:[\]-]{1,300}$/)), (host) => {
      const base = baseOf(host, "http");
      if (base !== undefined) expect(base).toMatch(/^http:\/\/[A-Za-z0-9.:[\]-]{1,255}$/);
    }),
  );
});

test("the program is served under both names, once to whoever has it", async () => {
  const ask = node();
  for (const path of ["/bootstrap/server.mjs", "/bootstrap/server.py"]) {
    const first = await ask(path);
    expect([first.status, first.body, first.headers.etag]).toEqual([200, BYTES, `"${BUNDLE.sha256}"`]);
    const again = await ask(path, { "if-none-match": `W/"other", "${BUNDLE.sha256}"` });
    expect([again.status, again.body]).toEqual([304, ""]);
  }
});

test("a node that has no bundle says so", async () => {
  const { status } = await node(async () => {
    throw nodeError("NO_BUNDLE");
  })("/bootstrap");
  expect(status).toBe(503);
});

test("nobody downloads without end", async () => {
  const ask = node();
  const of = async (address: string, times: number) => {
    const answers = await Promise.all(
      Array.from({ length: times }, () => ask("/bootstrap", undefined, address)),
    );
    return answers.filter(({ status }) => status === 200).length;
  };
  expect(await of("192.0.2.1", 30)).toBe(20);
  expect(await of("192.0.2.2", 5)).toBe(5);
  expect(await of("192.0.2.3", 20)).toBe(20);
  expect(await of("192.0.2.4", 20)).toBe(15);
});

test.each(["dash", "bash", "sh"])("%s reads the script without complaint", (shell) => {
  const script = bootstrapScript("http://127.0.0.1:8100", BUNDLE.sha256);
  const { status, stderr, error } = spawnSync(shell, ["-n"], { input: script, encoding: "utf8" });
  if (error) return;
  expect([status, stderr]).toEqual([0, ""]);
});

test("a script that broke off runs nothing", () => {
  const home = mkdtempSync(join(tmpdir(), "dm-boot-"));
  const script = bootstrapScript("http://127.0.0.1:1", BUNDLE.sha256);
  const env = { PATH: process.env.PATH, HOME: home };
  for (const part of [0.3, 0.6, 0.95]) {
    spawnSync("sh", [], { input: script.slice(0, script.length * part), env, cwd: home });
    expect(execFileSync("find", [home], { encoding: "utf8" })).toBe(`${home}\n`);
  }
  rmSync(home, { recursive: true });
});

test("the Node that is installed is the one this program is tested with", () => {
  const root = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../../../package.json"), "utf8"));
  for (const named of Object.values(NODE_PACKAGES)) {
    const [, name = "", version] = /^(.+)@(.+)$/.exec(named) ?? [];
    expect([name, root.optionalDependencies[name]]).toEqual([name, version]);
  }
});

test("an agent that asks is told where the program lies", async () => {
  const tool = templateTool(
    async () => BUNDLE,
    () => "http://127.0.0.1:8100",
    () => false,
  );
  const call = {
    session: "s",
    callId: undefined,
    signal: new AbortController().signal,
    progress: async () => undefined,
  };
  expect(await tool.handle({}, call)).toMatchObject({
    template_from: "http://127.0.0.1:8100",
    server_source: {
      url: "http://127.0.0.1:8100/bootstrap/server.mjs",
      sha256: BUNDLE.sha256,
      bytes: BYTES.length,
    },
    bootstrap_instructions: { install: "curl -fsS http://127.0.0.1:8100/bootstrap | sh" },
    core_primitives: expect.any(Array),
    compatibility_note: expect.any(String),
  });
});

test("the script installs what was announced, and nothing else", async () => {
  const home = mkdtempSync(join(tmpdir(), "dm-boot-"));
  let served = "changed on its way";
  const server = createServer((_request, response) => response.end(served));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const script = bootstrapScript(`http://127.0.0.1:${port}`, sha256Hex(utf8("process.exit(0)")));
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: home,
    DARKMATTER_PORT: "25990-25999",
  };
  const run = () =>
    new Promise<number | null>((done) => {
      const child = execFile("sh", { env, cwd: home }, () => done(child.exitCode));
      child.stdin?.end(script);
    });
  const program = join(home, ".darkmatter", "bin", "darkmatter.mjs");
  expect([await run(), existsSync(program)]).toEqual([1, false]);
  served = "process.exit(0)";
  expect([await run(), readFileSync(program, "utf8")]).toEqual([0, served]);
  await new Promise((done) => server.close(done));
  rmSync(home, { recursive: true });
});

test("what is handed out is the same wherever the node was started, and says nothing of this machine", () => {
  const root = resolve(import.meta.dirname, "../../../..");
  const folder = mkdtempSync(join(tmpdir(), "dm-boot-"));
  const made = (name: string, cwd: string) => {
    const entry = resolve(import.meta.dirname, "../places.ts");
    execFileSync(process.execPath, [join(root, "scripts/make-bundle.ts"), entry, join(folder, name)], {
      cwd,
    });
    return readFileSync(join(folder, name), "utf8");
  };
  const text = made("one.mjs", folder);
  expect(text).toContain("owner.lock");
  expect(text).not.toContain(root.slice(1));
  expect(text).not.toMatch(/^\/\/.*\/places\.ts/m);
  expect(made("other.mjs", root)).toBe(text);
  rmSync(folder, { recursive: true });
}, 30_000);
