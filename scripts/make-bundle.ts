// node scripts/make-bundle.ts ENTRY FILE: a program and all it imports as one file of plain JavaScript.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { rolldown } from "rolldown";

const [input = "", file = ""] = process.argv.slice(2);
/** Its other form finds its parts only while it runs. */
const jsoncParser = dirname(createRequire(input).resolve("jsonc-parser/package.json"));

const bundle = await rolldown({
  input,
  // Others get this file: where things lie on this machine is said nowhere in it, wherever it is made.
  cwd: join(import.meta.dirname, ".."),
  experimental: { attachDebugInfo: "none" },
  platform: "node",
  resolve: { alias: { "jsonc-parser": join(jsoncParser, "lib/esm/main.js") } },
  // Compiled ones, which the program works without, and what only other runtimes have.
  external: ["node-datachannel", "pg-native", "cloudflare:sockets"],
  logLevel: "silent",
});
await bundle.write({
  file,
  format: "esm",
  codeSplitting: false,
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
