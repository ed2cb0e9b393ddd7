import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { brokenImports } from "./imports.ts";

/** A clone with only the given files; every room is linked under its name, as npm does it. */
function clone(files: Record<string, string>): { root: string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "darkmatter-imports-"));
  const rooms = ["core", "store", "net", "surface", "mesh", "ledger", "node"];
  const exports = { ".": "./src/index.ts", "./testing": "./src/testing.ts", "./nouns": "./src/nouns.ts" };
  const all: Record<string, string> = { ".gitignore": "node_modules\n" };
  for (const room of rooms) {
    all[`packages/${room}/package.json`] = JSON.stringify({
      name: `@darkmatter/${room}`,
      type: "module",
      exports,
    });
    all[`packages/${room}/src/index.ts`] = `export const ${room} = 1;\n`;
    all[`packages/${room}/src/inner.ts`] = `export const inner = 1;\n`;
    all[`packages/${room}/src/testing.ts`] = `export const fake = 1;\n`;
  }
  for (const library of ["fastify", "undici", "pg", "vitest"]) {
    all[`node_modules/${library}/package.json`] = JSON.stringify({ name: library, main: "index.js" });
    all[`node_modules/${library}/index.js`] = "";
  }
  for (const [path, text] of Object.entries({ ...all, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, "node_modules/@darkmatter"));
  for (const room of rooms)
    symlinkSync(`../../packages/${room}`, join(root, "node_modules/@darkmatter", room));
  execFileSync("git", ["init", "-q"], { cwd: root });
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

async function rulesBroken(files: Record<string, string>): Promise<string[]> {
  using made = clone(files);
  const { breaches } = await brokenImports(made.root);
  return [...new Set(breaches.map((breach) => breach.split(":")[0] ?? ""))].sort();
}

test.for<[string, string, string, string[]]>([
  ["along an arrow", "mesh/src/a.ts", `import "@darkmatter/core";`, []],
  ["against an arrow", "core/src/a.ts", `import "@darkmatter/mesh";`, ["arrow-core"]],
  ["between two layers", "mesh/src/a.ts", `import "@darkmatter/ledger";`, ["arrow-mesh"]],
  [
    "of a type alone, against an arrow",
    "core/src/a.ts",
    `import type {} from "@darkmatter/mesh";`,
    ["arrow-core"],
  ],
  ["into another package by a path", "mesh/src/a.ts", `import "../../core/src/index.ts";`, ["by-name"]],
  [
    "past another package's front door",
    "mesh/src/a.ts",
    `import "../../core/src/inner.ts";`,
    ["by-name", "front-door"],
  ],
  ["of what is not exported", "mesh/src/a.ts", `import "@darkmatter/core/src/inner.ts";`, ["resolvable"]],
  ["of nothing", "mesh/src/a.ts", `import "./gone.ts";`, ["resolvable"]],
  [
    "of a fake by production code",
    "mesh/src/a.ts",
    `import "@darkmatter/core/testing";`,
    ["testing-is-for-tests"],
  ],
  ["of a fake by a test", "mesh/src/a.test.ts", `import "@darkmatter/core/testing"; import "vitest";`, []],
  ["of fastify in surface", "surface/src/a.ts", `import "fastify";`, []],
  ["of fastify elsewhere", "mesh/src/a.ts", `import "fastify";`, ["fastify"]],
  ["of undici in net", "net/src/a.ts", `import "undici";`, []],
  ["of undici elsewhere", "surface/src/a.ts", `await import("undici");`, ["undici"]],
  ["of a driver in store's adapters", "store/src/adapters/a.ts", `import "node:sqlite"; import "pg";`, []],
  ["of a driver beside them", "store/src/a.ts", `import "node:sqlite";`, ["sql-drivers"]],
  ["of pg elsewhere", "ledger/src/adapters/a.ts", `import "pg";`, ["sql-drivers"]],
  ["of Node by core", "core/src/a.ts", `import "node:crypto";`, ["core-runs-in-a-browser"]],
  ["of Node by core's adapters", "core/src/adapters/a.ts", `import "node:crypto";`, []],
  ["from a room without an arrow", "attic/src/a.ts", `import "@darkmatter/core";`, ["known-rooms"]],
])("an import %s", async ([, path, text, rules]) => {
  expect(await rulesBroken({ [`packages/${path}`]: text })).toEqual(rules);
});

test("a runner outside the rooms comes in by the front door too", async () => {
  expect(await rulesBroken({ "bench/run.ts": `import "@darkmatter/core";` })).toEqual([]);
  expect(await rulesBroken({ "bench/run.ts": `import "../packages/core/src/inner.ts";` })).toEqual([
    "front-door-from-outside",
  ]);
});

test("two modules that import each other", async () => {
  const files = {
    "packages/mesh/src/a.ts": `import { b } from "./b.ts"; export const a = () => b;`,
    "packages/mesh/src/b.ts": `import { a } from "./a.ts"; export const b = () => a;`,
  };
  expect(await rulesBroken(files)).toEqual(["no-cycles"]);
});

test("every module is counted", async () => {
  using made = clone({});
  expect((await brokenImports(made.root)).seen).toBe(21);
});
