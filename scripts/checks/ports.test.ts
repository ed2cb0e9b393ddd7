import ts from "typescript";
import { expect, test } from "vitest";
import { directUses, MAY_TOUCH_THE_WORLD } from "./ports.ts";

function usesIn(code: string): string[] {
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost({}),
    getSourceFile: (name, language) =>
      name === "a.ts" ? ts.createSourceFile(name, code, language, true) : undefined,
  };
  return directUses(["a.ts"], host).map((use) => use.replace(/^a\.ts:\d+: /, ""));
}

test.for([
  ["const t = Date.now();", "Date.now"],
  ["const t = new Date();", "Date"],
  ["const t = new Date;", "Date"],
  ["const t = Date();", "Date"],
  ["const D = Date; D.now();", "Date"],
  ["const { now } = Date;", "Date.now"],
  ["const t = Date['now']();", "Date.now"],
  ["const t = globalThis.Date.now();", "Date.now"],
  ["const t = performance.now();", "performance"],
  ["const p = { performance };", "performance"],
  ["const t = process.hrtime.bigint();", "process.hrtime"],
  ["const t = process.uptime();", "process.uptime"],
  ["setTimeout(() => {}, 1);", "setTimeout"],
  ["globalThis.setTimeout(() => {}, 1);", "setTimeout"],
  ["globalThis['setTimeout'](() => {}, 1);", "setTimeout"],
  ["const { setTimeout: later } = globalThis;", "setTimeout"],
  ["const later = setTimeout;", "setTimeout"],
  ["setInterval(() => {}, 1);", "setInterval"],
  ["setImmediate(() => {});", "setImmediate"],
  ["const s = AbortSignal.timeout(1);", "AbortSignal.timeout"],
  ["Atomics.wait(a, 0, 0, 10);", "Atomics.wait"],
  ["const r = Math.random();", "Math.random"],
  ["const { random } = Math;", "Math.random"],
  ["const r = crypto.randomUUID();", "randomUUID"],
  ["const r = globalThis.crypto.getRandomValues(new Uint8Array(1));", "getRandomValues"],
  ["import { randomBytes } from 'node:crypto';", "randomBytes"],
  ["import { randomUUID as id } from 'node:crypto';", "randomUUID"],
  ["import c from 'node:crypto'; c.randomInt(3);", "randomInt"],
  ["import * as c from 'node:crypto'; c.generateKeyPairSync('ed25519');", "generateKeyPairSync"],
  ["const { randomFillSync } = await import('node:crypto');", "randomFillSync"],
  ["await fetch('http://a.example');", "fetch"],
  ["function get(f = fetch) { return f; }", "fetch"],
  ["new WebSocket('ws://a.example');", "WebSocket"],
  ["import fs from 'node:fs';", "node:fs"],
  ["import { readFile } from 'node:fs/promises';", "node:fs/promises"],
  ["import 'fs';", "fs"],
  ["import { type Stats } from 'node:fs';", "node:fs"],
  ["export { spawn } from 'node:child_process';", "node:child_process"],
  ["export * from 'node:dgram';", "node:dgram"],
  ["const net = await import('node:net');", "node:net"],
  ["const net = require('net');", "net"],
  ["import http = require('node:http');", "node:http"],
  ["import 'node:https'", "node:https"],
  ["import 'node:http2'", "node:http2"],
  ["import 'node:tls'", "node:tls"],
  ["import 'node:dns/promises'", "node:dns/promises"],
  ["import { setTimeout } from 'node:timers/promises';", "node:timers/promises"],
  ["import 'node:perf_hooks'", "node:perf_hooks"],
  ["import 'node:worker_threads'", "node:worker_threads"],
  ["process.getBuiltinModule('fs');", "process.getBuiltinModule"],
] as const)("%s is caught", ([code, use]) => {
  expect(usesIn(code)).toEqual([use]);
});

test.for([
  "const t = new Date(0).toISOString();",
  "const t = Date.parse('2026-01-01');",
  "const t = Date.UTC(2026, 1);",
  "const is = (x: unknown) => x instanceof Date;",
  "function f(at: Date): Date { return at; }",
  "const t = clock.now();",
  "clock.setTimeout(1);",
  "const x = { setTimeout: 1, fetch: 2 };",
  "interface Wire { fetch(url: string): void; performance: number }",
  "class Wire { fetch() {} }",
  "function get(fetch: () => void) { fetch(); }",
  "import { setTimeout } from './clock.ts'; setTimeout();",
  "type F = typeof fetch; type D = typeof Date;",
  "const n = Math.max(1, 2);",
  "const s = AbortSignal.any([]);",
  "process.on('SIGTERM', () => {});",
  "clearTimeout(timer);",
  "import type { Server } from 'node:http';",
  "import { createHash } from 'node:crypto';",
  "import { join } from 'node:path';",
  "const bytes = random.bytes(32);",
  "// Date.now() and fetch()",
  "const text = 'Math.random()';",
])("%s is no use of the world", (code) => {
  expect(usesIn(code)).toEqual([]);
});

test("the line is named", () => {
  const host = { ...ts.createCompilerHost({}) };
  host.getSourceFile = (name, language) => ts.createSourceFile(name, "\n\nfetch('');", language, true);
  expect(directUses(["packages/mesh/src/a.ts"], host)).toEqual(["packages/mesh/src/a.ts:3: fetch"]);
});

test("adapters, tests and their helpers may touch the world; nothing else may", () => {
  const free = [
    "store/src/adapters/a.ts",
    "mesh/src/x/x.test.ts",
    "net/src/testing.ts",
    "net/src/testing/a.ts",
  ];
  const bound = [
    "store/src/adapter.ts",
    "mesh/src/testing-ground.ts",
    "mesh/src/test.ts",
    "node/src/main.ts",
  ];
  for (const path of free) expect(`packages/${path}`).toMatch(MAY_TOUCH_THE_WORLD);
  for (const path of bound) expect(`packages/${path}`).not.toMatch(MAY_TOUCH_THE_WORLD);
});
