import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, expect, test } from "vitest";

const PROGRAM = resolve(import.meta.dirname, "../../../../bin/darkmatter.js");
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A user's home folder, with the files given. */
function userWith(files: Readonly<Record<string, string>>) {
  const user = realpathSync(mkdtempSync(join(tmpdir(), "dm-user-")));
  folders.push(user);
  const at = (name: string) => join(user, name);
  const write = (name: string, text: string) => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  mkdirSync(at("project"), { recursive: true });
  const run = (...argv: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((done) => {
      const options = { cwd: at("project"), env: { PATH: process.env.PATH, HOME: user, NO_COLOR: "1" } };
      const child = execFile(process.execPath, [PROGRAM, "setup", ...argv], options, (_error, out, err) =>
        done({ code: child.exitCode ?? -1, out, err }),
      );
      child.stdin?.end();
    });
  return {
    at,
    write,
    run,
    read: (name: string) => readFileSync(at(name), "utf8"),
    has: (name: string) => existsSync(at(name)),
  };
}

const CLAUDE = `{\n  "numStartups": 3,\n  "mcpServers": {\n    "files": {\n      "command": "npx"\n    }\n  }\n}\n`;
const GEMINI = `{\n  // my theme\n  "theme": "Dracula",\n}\n`;
const CODEX = `model = "x" # kept\n\n[mcp_servers.files]\ncommand = "npx"\n`;
const ALL = {
  ".claude.json": CLAUDE,
  ".cursor/other.json": "{}",
  ".gemini/settings.json": GEMINI,
  ".codex/config.toml": CODEX,
  ".kimi/mcp.json": "",
  ".config/opencode/opencode.jsonc": `{\n  "$schema": "x", // s\n}\n`,
  ".openclaw/openclaw.json": "{}",
};

test("every client that is found gets its entry where it reads it, and undo leaves each file as it was", async () => {
  const user = userWith(ALL);
  chmodSync(user.at(".codex/config.toml"), 0o640);
  const { code, out } = await user.run();
  expect({ code, out }).toMatchObject({ code: 0 });

  const { command, args, env } = JSON.parse(user.read(".claude.json")).mcpServers.darkmatter;
  expect([command, ...args, env]).toEqual([
    expect.stringMatching(/^\/.*node$/),
    PROGRAM,
    "mcp",
    { DARKMATTER_PASSPORT: user.at("project/.darkmatter/passport.key") },
  ]);
  expect(JSON.parse(user.read(".cursor/mcp.json")).mcpServers.darkmatter).toEqual({ command, args, env });
  expect(user.read(".gemini/settings.json")).toMatch(
    /\/\/ my theme[\s\S]*"mcpServers": \{\n {4}"darkmatter"/,
  );
  expect(user.read(".codex/config.toml")).toContain(`${CODEX}\n[mcp_servers.darkmatter]\ncommand = `);
  expect(statSync(user.at(".codex/config.toml")).mode & 0o777).toBe(0o640);
  expect(JSON.parse(user.read(".kimi/mcp.json")).mcpServers.darkmatter.args).toEqual(args);
  expect(user.read(".config/opencode/opencode.jsonc")).toContain('"type": "local"');
  expect(user.read(".openclaw/skills/darkmatter/SKILL.md")).toMatch(
    /^---\nname: darkmatter\ndescription: .{1,160}\n---\n/,
  );
  for (const name of Object.keys(ALL).slice(0, 1)) expect(out).toContain(user.at(name));
  expect(user.has("project/.darkmatter")).toBe(false);

  const again = await user.run("--json");
  expect(JSON.parse(again.out).clients.map(({ action }: { action: string }) => action)).toEqual(
    Array(7).fill("same"),
  );

  expect(await user.run("--undo")).toMatchObject({ code: 0 });
  for (const [name, text] of Object.entries(ALL)) expect([name, user.read(name)]).toEqual([name, text]);
  expect(user.has(".cursor/mcp.json")).toBe(false);
  expect(user.has(".openclaw/skills")).toBe(false);
  expect(user.has(".claude.json.before-darkmatter")).toBe(false);
  expect(user.has(".darkmatter/setup.json")).toBe(false);
}, 30_000);

test("a dry run shows every line and writes nothing", async () => {
  const user = userWith(ALL);
  const { code, out } = await user.run("codex", "gemini", "--dry-run");
  expect(code).toBe(0);
  expect(out).toMatch(/config\.toml would get the entry\n {2}\+ \n {2}\+ \[mcp_servers\.darkmatter\]/);
  expect(user.read(".codex/config.toml")).toBe(CODEX);
  expect(user.has(".darkmatter")).toBe(false);
});

test("undo takes out its own alone when the file was edited since, and brings back an entry that was there", async () => {
  const mine = `{"mcpServers": {"darkmatter": {"command": "/mine", "args": []}}}`;
  const user = userWith({ ".claude.json": CLAUDE, ".gemini/settings.json": mine });
  await user.run();
  user.write(".claude.json", user.read(".claude.json").replace('"numStartups": 3', '"numStartups": 4'));
  user.write(".gemini/settings.json", user.read(".gemini/settings.json").replace(/^\{/, '{"theme": "x", '));
  expect(await user.run("--undo")).toMatchObject({ code: 0 });
  expect(user.read(".claude.json")).toBe(CLAUDE.replace("3", "4"));
  expect(user.read(".gemini/settings.json")).toBe(mine.replace("{", '{"theme": "x", '));
});

test("a skill of the user's own is neither replaced nor removed, whatever its name", async () => {
  const skill = ".openclaw/skills/darkmatter/SKILL.md";
  const own = "---\nname: darkmatter\ndescription: mine\n---\n\nSay hello.\n";
  const user = userWith({ [skill]: own });
  expect((await user.run("--undo")).code).toBe(0);
  expect(user.read(skill)).toBe(own);
  const { code, out } = await user.run();
  expect(code).toBe(1);
  expect(out).toMatch(/SKILL\.md left alone: it is another skill of the same name/);
  expect(user.read(skill)).toBe(own);
});

test("an entry that starts the program in the user's own way is not undone", async () => {
  const words = { command: "ssh", args: ["desk", "node", "/opt/darkmatter.js", "mcp"] };
  const own = JSON.stringify({ mcpServers: { darkmatter: words } });
  const user = userWith({ ".cursor/mcp.json": own });
  await user.run("--undo");
  expect(user.read(".cursor/mcp.json")).toBe(own);
  await user.run();
  user.write(".cursor/mcp.json", user.read(".cursor/mcp.json").replace("{", '{"a": 1, '));
  await user.run("--undo");
  expect(user.read(".cursor/mcp.json")).toBe(own.replace("{", '{"a": 1, '));
});

test("a skill of setup's whose record is lost is known by its words", async () => {
  const skill = ".openclaw/skills/darkmatter/SKILL.md";
  const user = userWith({ ".openclaw/openclaw.json": "{}" });
  await user.run();
  rmSync(user.at(".darkmatter/setup.json"));
  expect((await user.run("--undo")).code).toBe(0);
  expect(user.has(skill)).toBe(false);
});

test("a damaged file is left alone and named, and the others are written", async () => {
  const user = userWith({ ".claude.json": `{"mcpServers": {`, ".codex/config.toml": CODEX });
  const { code, out } = await user.run();
  expect(code).toBe(1);
  expect(out).toMatch(/\.claude\.json left alone: it is damaged at line 1, column 17[\s\S]*Repair it/);
  expect(user.read(".claude.json")).toBe(`{"mcpServers": {`);
  expect(user.read(".codex/config.toml")).toContain("[mcp_servers.darkmatter]");
});

test("a link is followed, and stays a link", async () => {
  const user = userWith({ "dotfiles/claude.json": CLAUDE });
  symlinkSync(user.at("dotfiles/claude.json"), user.at(".claude.json"));
  expect(await user.run()).toMatchObject({ code: 0 });
  expect(lstatSync(user.at(".claude.json")).isSymbolicLink()).toBe(true);
  expect(JSON.parse(user.read("dotfiles/claude.json")).mcpServers).toHaveProperty("darkmatter");
  await user.run("--undo");
  expect(user.read("dotfiles/claude.json")).toBe(CLAUDE);
});

test.skipIf(process.getuid?.() !== 0)("what root writes in a user's home is that user's", async () => {
  const user = userWith({ ".claude.json": CLAUDE, ".openclaw/openclaw.json": "{}" });
  for (const name of [".claude.json", ".openclaw"]) chownSync(user.at(name), 4321, 4321);
  await user.run();
  const files = [".claude.json", ".claude.json.before-darkmatter", ".openclaw/skills/darkmatter/SKILL.md"];
  for (const name of [...files, ".openclaw/skills"])
    expect([name, statSync(user.at(name)).uid]).toEqual([name, 4321]);
});

test("with no client it says what it looked for, and a named one is written all the same", async () => {
  const user = userWith({});
  const nobody = await user.run();
  expect(nobody.code).toBe(1);
  expect(nobody.out).toContain(user.at(".cursor"));
  expect(await user.run("cursor")).toMatchObject({ code: 0 });
  expect(JSON.parse(user.read(".cursor/mcp.json")).mcpServers).toHaveProperty("darkmatter");
  await user.run("--undo");
  expect(user.has(".cursor")).toBe(false);
  expect(await user.run("vim")).toMatchObject({ code: 2 });
});

test("a file that is no text is left alone, and named with the reason", async () => {
  const user = userWith({ ".gemini/settings.json": Buffer.from([0x7b, 0xff, 0x7d]).toString("latin1") });
  writeFileSync(user.at(".gemini/settings.json"), Buffer.from([0x7b, 0xff, 0x7d]));
  const { code, out } = await user.run();
  expect(code).toBe(1);
  expect(out).toMatch(/settings\.json left alone: it cannot be read/);
});
