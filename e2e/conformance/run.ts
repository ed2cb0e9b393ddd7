import { rmSync } from "node:fs";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemClock, systemRandom } from "@darkmatter/core";
import { createHandler, localOnly, mcpRoutes, serveHttp } from "@darkmatter/surface";
import { runProgram } from "../run-program.ts";
import { sampleTable } from "./sample-tools.ts";

export interface Verdict {
  readonly name: string;
  readonly reason: string;
}

export interface ConformanceReport {
  /** Names of scenarios. */
  readonly passed: readonly string[];
  readonly failed: readonly Verdict[];
  /** Scenarios about what is not offered, each with the reason. */
  readonly skipped: readonly Verdict[];
}

const SUITE_MS = 120_000;

/** These ask nothing of a server but that it is one. */
const GENERIC = ["server-initialize", "ping", "tools-list", "resources-list", "dns-rebinding-protection"];

/** These ask for sample tools and resources. */
const WITH_SAMPLES = [
  "tools-call-simple-text",
  "tools-call-image",
  "tools-call-audio",
  "tools-call-embedded-resource",
  "tools-call-mixed-content",
  "tools-call-error",
  "tools-call-with-progress",
  "resources-read-text",
  "server-sse-multiple-streams",
];

const NOT_OFFERED: Readonly<Record<string, string>> = {
  "logging-set-level": "no logs are sent to clients (deprecated in 2026-07-28); the node's log is a file",
  "tools-call-with-logging":
    "no logs are sent to clients (deprecated in 2026-07-28); the node's log is a file",
  "completion-complete": "no prompts or resource templates, so nothing to complete",
  "tools-call-sampling": "no model of the client is asked (deprecated in 2026-07-28)",
  "tools-call-elicitation": "no tool asks the user: an agent may be alone",
  "elicitation-sep1034-defaults": "no tool asks the user: an agent may be alone",
  "elicitation-sep1330-enums": "no tool asks the user: an agent may be alone",
  "json-schema-2020-12": "schemas are shortened for the agent's context: no $schema, no additionalProperties",
  "server-sse-polling": "no event store: a call whose stream broke is sent again under its own id",
  "resources-read-binary": "resources are texts",
  "resources-templates-read": "no resource templates",
  "resources-subscribe": "no subscriptions to resources",
  "resources-unsubscribe": "no subscriptions to resources",
  "prompts-list": "no prompts",
  "prompts-get-simple": "no prompts",
  "prompts-get-with-args": "no prompts",
  "prompts-get-embedded-resource": "no prompts",
  "prompts-get-with-image": "no prompts",
};

/**
 * Runs the official conformance suite: all of it against the sample tools on loopback, or, given the address of a
 * node's `/mcp`, the scenarios that ask for no samples.
 */
export async function runConformance(target?: { readonly url: string }): Promise<ConformanceReport> {
  if (target) {
    const skipped = WITH_SAMPLES.map((name) => ({ name, reason: "needs the sample tools" }));
    return report(await runSuite(target.url, GENERIC), skipped);
  }
  await using samples = await serveSamples();
  const results = await runSuite(samples.url, [...GENERIC, ...WITH_SAMPLES]);
  return report([...results, ...(await unknownScenarios())], []);
}

/** Scenarios of the suite that stand in none of the lists above: a later suite must not pass by not being run. */
async function unknownScenarios(): Promise<Verdict[]> {
  const known = new Set([...GENERIC, ...WITH_SAMPLES, ...Object.keys(NOT_OFFERED)]);
  const listed = [...(await runCli(["list", "--server"])).matchAll(/^ {2}- (\S+)/gm)].map(
    ([, name]) => name ?? "",
  );
  if (listed.length === 0) return [{ name: "list", reason: "the suite lists no scenarios" }];
  return listed.filter((name) => !known.has(name)).map((name) => ({ name, reason: "not known here" }));
}

function report(results: readonly Verdict[], needSamples: readonly Verdict[]): ConformanceReport {
  const notOffered = Object.entries(NOT_OFFERED).map(([name, reason]) => ({ name, reason }));
  return {
    passed: results.filter(({ reason }) => reason === "").map(({ name }) => name),
    failed: results.filter(({ reason }) => reason !== ""),
    skipped: [...needSamples, ...notOffered],
  };
}

async function serveSamples(): Promise<{ readonly url: string } & AsyncDisposable> {
  const failures: unknown[] = [];
  const mcp = mcpRoutes(sampleTable, {
    guards: [localOnly()],
    identity: { name: "darkmatter-conformance", version: "0.1.0" },
    clock: systemClock,
    random: systemRandom,
    onError: ({ error }) => failures.push(error),
  });
  const handler = createHandler(mcp.routes, { onError: ({ error }) => failures.push(error) });
  const server = await serveHttp({
    handler,
    host: "127.0.0.1",
    port: 0,
    onError: (error) => failures.push(error),
  });
  return {
    url: `${server.url}/mcp`,
    async [Symbol.asyncDispose]() {
      await mcp.close();
      await server.close();
      if (failures.length > 0)
        throw new AggregateError(failures, "the server of the sample tools reported errors");
    },
  };
}

interface Check {
  readonly status: string;
  readonly name: string;
  readonly errorMessage?: string;
}

/** One run of the suite per scenario; an empty reason means that all its checks passed. */
async function runSuite(url: string, scenarios: readonly string[]): Promise<Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const verdicts: Verdict[] = [];
    for (const name of scenarios)
      verdicts.push({ name, reason: await runScenario(url, name, join(folder, name)) });
    return verdicts;
  } finally {
    process.off("exit", remove);
    remove();
  }
}

async function runScenario(url: string, scenario: string, folder: string): Promise<string> {
  const printed = await runCli(["server", "--url", url, "--scenario", scenario, "--output-dir", folder]);
  const checks = await readChecks(folder);
  if (!checks.some(({ status }) => status === "SUCCESS"))
    return `nothing was checked: ${printed.slice(-500)}`;
  const failures = checks.filter(({ status }) => status === "FAILURE");
  return failures.map(({ name, errorMessage }) => `${name}: ${errorMessage ?? "failed"}`).join("; ");
}

/** What it printed. Its exit code says nothing that its checks do not. */
async function runCli(args: readonly string[]): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json");
  const cli = join(dirname(manifest), "dist", "index.js");
  const { stdout, stderr } = await runProgram(process.execPath, [cli, ...args], { timeoutMs: SUITE_MS });
  return `${stdout}\n${stderr}`;
}

async function readChecks(folder: string): Promise<Check[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const checks: Check[] = [];
  for (const name of names.filter((file) => file.endsWith("checks.json"))) {
    checks.push(...(JSON.parse(await readFile(join(folder, name), "utf8")) as Check[]));
  }
  return checks;
}

if (import.meta.main) {
  const { passed, failed, skipped } = await runConformance();
  for (const { name, reason } of skipped) console.log(`skipped ${name}: ${reason}`);
  for (const { name, reason } of failed) console.log(`failed  ${name}: ${reason}`);
  for (const name of passed) console.log(`passed  ${name}`);
  console.log(`${passed.length} passed, ${failed.length} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
