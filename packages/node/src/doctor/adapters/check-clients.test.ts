import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { checkClients } from "./check-clients.ts";

afterEach(() => vi.unstubAllEnvs());

/** What is found of a client whose file has this entry; `$HERE` stands for its folder. */
async function found(entry: { readonly command: string; readonly args: readonly string[] }) {
  const here = mkdtempSync(join(tmpdir(), "dm-clients-"));
  try {
    vi.stubEnv("CLAUDE_CONFIG_DIR", here);
    writeFileSync(join(here, "darkmatter.js"), "console.error('broken'); process.exit(1)");
    const text = JSON.stringify({ mcpServers: { darkmatter: entry } }).replaceAll("$HERE", here);
    writeFileSync(join(here, ".claude.json"), text);
    const findings = await checkClients({ command: (name) => `darkmatter ${name}` });
    const finding = findings.find(({ what }) => what.startsWith("claude-code"));
    return { finding, marked: existsSync(join(here, "mark")) };
  } finally {
    rmSync(here, { recursive: true });
  }
}

test("what setup wrote is tried, and what is wrong with it told", async () => {
  const { finding } = await found({ command: process.execPath, args: ["$HERE/darkmatter.js", "mcp"] });
  expect(finding).toMatchObject({ level: "fail", what: expect.stringMatching(/which fails: broken$/) });
});

test.each([
  { command: "/bin/sh", args: ["-c", "echo > $HERE/mark", "$HERE/darkmatter.js", "mcp"] },
  { command: "/usr/bin/env", args: ["/bin/sh", "-c", "echo > $HERE/mark", "$HERE/darkmatter.js", "mcp"] },
  { command: "sh", args: ["-c", "echo > $HERE/mark", "$HERE/darkmatter.js", "mcp"] },
  { command: "sh", args: ["$HERE/darkmatter.js", "mcp"] },
  { command: process.execPath, args: ["bin/darkmatter.js", "mcp"] },
])("any other command of a client's file is left to the client: $command $args", async (entry) => {
  const { finding, marked } = await found(entry);
  expect([finding?.level, marked]).toEqual(["ok", false]);
});
