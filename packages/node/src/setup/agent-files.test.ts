import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { memoryNetwork } from "@darkmatter/mesh/testing";
import { expect, test } from "vitest";
import { commandTable } from "../commands/table.ts";
import { command, real, typed } from "../testing/commands.ts";
import { type TestHome, testHome } from "../testing/program.ts";
import { VERSION } from "../version.ts";
import { skillText } from "./skill.ts";

const root = resolve(import.meta.dirname, "../../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const json = (path: string) => JSON.parse(read(path));
const PLUGIN = "plugins/claude-code";
// Its client puts the plugin's folder in its place.
const PLUGIN_ROOT = `$${"{CLAUDE_PLUGIN_ROOT}"}`;
const SKILLS = [`${PLUGIN}/skills/darkmatter/SKILL.md`, "plugins/openclaw/darkmatter/SKILL.md"];
const COMMANDS = new Set(commandTable({} as never).map(({ name }) => name));

/** The names of every tool an agent has. */
async function toolNames(): Promise<Set<string>> {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const tools = net.nodes.ana.mesh.tools.tools.filter(({ audience }) => audience !== "owner");
  return new Set(tools.map(({ name }) => name));
}

/** The program's command a line of a shell starts: `hook stop` of `node …/darkmatter.js hook stop`. */
const commandIn = (line: string) => /darkmatter(?:\.js"?)? ((?:hook )?[a-z-]+)/.exec(line)?.[1] ?? "";

test("the Claude Code plugin names itself, and starts this program", () => {
  const manifest = json(`${PLUGIN}/.claude-plugin/plugin.json`);
  expect(manifest).toMatchObject({ name: "darkmatter", version: VERSION, license: "MIT" });
  expect(manifest.description.length).toBeGreaterThan(0);
  const { command: program, args } = json(`${PLUGIN}/.mcp.json`).mcpServers.darkmatter;
  const [script, name] = args;
  expect(program).toBe("node");
  expect(existsSync(script.replace(PLUGIN_ROOT, join(root, PLUGIN)))).toBe(true);
  expect(COMMANDS).toContain(name);
});

test("each hook of the plugin starts a command there is", () => {
  const { hooks } = json(`${PLUGIN}/hooks/hooks.json`);
  expect(Object.keys(hooks)).toEqual(["SessionStart", "UserPromptSubmit", "Stop"]);
  const groups = Object.values(hooks).flat() as { hooks: { type: string; command: string }[] }[];
  for (const { hooks: all } of groups) {
    for (const hook of all) {
      expect(hook.type).toBe("command");
      expect(COMMANDS).toContain(commandIn(hook.command));
      const [, path = ""] = /"([^"]+)"/.exec(hook.command) ?? [];
      expect(existsSync(path.replace(PLUGIN_ROOT, join(root, PLUGIN)))).toBe(true);
    }
  }
});

test.each(SKILLS)("%s says what it is for, and names only tools and commands there are", async (path) => {
  const text = read(path);
  const [, name, description = ""] = /^---\nname: (\S+)\ndescription: (.+)\n---\n/.exec(text) ?? [];
  expect(name).toBe("darkmatter");
  expect(description.length).toBeLessThanOrEqual(1024);
  const tools = await toolNames();
  for (const [tool] of text.matchAll(/(?<!_)darkmatter_[a-z]\w+/g)) expect(tools).toContain(tool);
  for (const [, tool] of text.matchAll(/^tool ([a-z_]+) /gm)) expect(tools).toContain(`darkmatter_${tool}`);
  const lines = [...text.matchAll(/`(darkmatter [a-z][^`]*)`/g)].map(([, line]) => line ?? "");
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) expect(COMMANDS).toContain(commandIn(line));
});

test("the OpenClaw skill in the tree is the one that setup writes", () => {
  expect(read("plugins/openclaw/darkmatter/SKILL.md")).toBe(
    skillText({ command: "darkmatter", args: ["mcp"], env: {} }),
  );
});

test("server.json has what the registry's format demands, and claims no package", () => {
  const server = json("server.json");
  expect(server.name).toMatch(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/);
  expect(server.description.length).toBeLessThanOrEqual(100);
  expect(server.version).toBe(VERSION);
  expect(Object.keys(server).sort()).toEqual(["$schema", "description", "name", "title", "version"]);
});

/** Two running nodes, the first asked over HTTP alone. */
async function twoNodes(ana: TestHome, bo: TestHome) {
  const one = real(ana, ["up", "--json"], { DARKMATTER_DISPLAY_NAME: "Ana" });
  const other = real(bo, ["up", "--json"], { DARKMATTER_DISPLAY_NAME: "Bo" });
  const urls = { ana: (await one.firstLine()).url, bo: (await other.firstLine()).url };
  return {
    urls,
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
}

test("every line for curl in the OpenClaw skill does what it says, against a real node", async () => {
  using ana = testHome();
  using bo = testHome();
  await using nodes = await twoNodes(ana, bo);
  const [setup = "", lines = ""] = [
    ...read("plugins/openclaw/darkmatter/SKILL.md").matchAll(/```sh\n([^`]+)\n```/g),
  ].map(([, block]) => block ?? "");
  const given: Record<string, string> = { "HOST:PORT": new URL(nodes.urls.bo).host, AGENT: bo.agentId };
  const bash = async (line: string) => {
    const script = `${setup}\n${line.replace(/HOST:PORT|AGENT|MESSAGE|SENT/g, (word) => given[word] ?? word)}`;
    const env = { PATH: process.env.PATH, DARKMATTER_URL: nodes.urls.ana };
    const { stdout } = await promisify(execFile)("bash", ["-c", script], { env, timeout: 20_000 });
    const answer = JSON.parse(stdout);
    return answer.result?.structuredContent ?? answer;
  };
  const heard: Record<string, Record<string, unknown>> = {};
  for (const line of lines.split("\n")) {
    const [, what = ""] = /# (.+)$/.exec(line) ?? [];
    if (line.startsWith("tool get_message")) {
      const { said } = await command(bo, "send", ana.agentId, "A question for Ana.");
      given.MESSAGE = said.message_id;
    }
    if (line.startsWith("tool wait_for_response")) {
      // On a busy machine the message may still be on its way.
      const reply = () => command(bo, "reply", String(given.SENT), "An answer for Ana.");
      await expect.poll(async () => (await reply()).code, { timeout: 20_000 }).toBe(0);
    }
    heard[what] = await bash(line);
    if (line.startsWith("tool send_message")) given.SENT = String(heard[what]?.message_id);
  }
  expect(heard).toMatchObject({
    "what waits": { count: 0 },
    "whom you know": { count: 0 },
    "who asks to be connected": { count: 0 },
    "what you sent, and what became of it": { count: 0 },
    "connect to an agent": { success: true, status: "connected" },
    "write to it": { success: true, routed_to: [bo.agentId] },
    "read a message whole": { content: "A question for Ana." },
    "answer it": { success: true },
    "wait for the answer to yours": { success: true, responses: [{ response: "An answer for Ana." }] },
  });
  expect(Object.keys(heard)).toHaveLength(9);
}, 60_000);

test("a client's hooks say what waits in numbers and ids, each message once, and keep an agent from stopping once", async () => {
  using ana = testHome();
  using bo = testHome();
  expect(await typed(ana, "hook", "stop")).toMatchObject({ code: 0, out: "", err: "" });
  {
    await using nodes = await twoNodes(ana, bo);
    await command(bo, "connect", nodes.urls.ana);
    expect((await typed(ana, "hook", "session-start")).out).toBe("");
    const holds = (count: number) =>
      expect.poll(async () => (await command(ana, "status")).said.inbox, { timeout: 15_000 }).toBe(count);
    await command(bo, "send", ana.agentId, "SECRET WORDS of a peer");
    await holds(1);
    const start = JSON.parse((await typed(ana, "hook", "session-start")).out);
    expect(start.hookSpecificOutput).toMatchObject({ hookEventName: "SessionStart" });
    expect(start.hookSpecificOutput.additionalContext).toMatch(
      /1 unread message .*Newest ids: msg-[0-9a-f]{12}\.$/,
    );
    expect(JSON.stringify(start)).not.toContain("SECRET");
    const prompt = JSON.parse((await typed(ana, "hook", "prompt")).out);
    expect(prompt.hookSpecificOutput).toMatchObject({ hookEventName: "UserPromptSubmit" });
    expect((await typed(ana, "hook", "prompt")).out).toBe("");
    const stop = JSON.parse((await typed(ana, "hook", "stop")).out);
    expect(stop).toMatchObject({ decision: "block", reason: expect.stringContaining("1 unread message") });
    expect((await typed(ana, "hook", "stop")).out).toBe("");
    await command(bo, "send", ana.agentId, "again");
    await holds(2);
    expect(await hookGiven(ana, "stop", { stop_hook_active: true })).toBe("");
    expect(JSON.parse(await hookGiven(ana, "stop", { stop_hook_active: false })).decision).toBe("block");
    // A look of a hook is no reading.
    expect((await command(ana, "status")).said.inbox).toBe(2);
  }
}, 60_000);

/** What a hook says to a client that gives it this on stdin. */
async function hookGiven(home: TestHome, name: string, given: object): Promise<string> {
  await using program = real(home, ["hook", name]);
  program.child.stdin.end(JSON.stringify(given));
  await program.exited;
  return program.stdoutText();
}
