import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import {
  installUnit,
  launchdPlace,
  removeUnit,
  standsInTheWay,
  systemdPlace,
} from "./adapters/unit-files.ts";
import { launchdAgent, systemdUnit } from "./unit.ts";

const AGENT = "ab".repeat(32);
const folders: string[] = [];
function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), "dm-unit-")));
  return folders.at(-1) as string;
}
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** What systemd makes of a line of quoted words: systemd.syntax(7), with its specifiers and variables undone. */
function wordsOf(line: string): string[] {
  const words = [...line.matchAll(/"((?:\\.|[^"\\])*)"/gsu)].map(([, word = ""]) => word);
  return words.map((word) => {
    const plain = word.replace(/\\(.)/gu, (_all, one: string) => ({ n: "\n", r: "\r", t: "\t" })[one] ?? one);
    if (/(^|[^%])(%%)*%([^%]|$)/u.test(plain)) throw new Error(`a specifier in ${word}`);
    const literal = plain.replaceAll("%%", "%");
    if (/(^|[^$])(\$\$)*\$([^$]|$)/u.test(literal)) throw new Error(`a variable in ${word}`);
    return literal.replaceAll("$$", "$");
  });
}

test("any path comes through systemd's quoting as it was", () => {
  const path = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(path, path, (command, script) => {
      const { text } = systemdUnit(AGENT, {
        command: command,
        args: [script, "up"],
        env: { A: script },
      });
      const line = text.split("\n").find((one) => one.startsWith("ExecStart=")) ?? "";
      expect(wordsOf(line)).toEqual(["/bin/sh", "-c", 'exec "$0" "$@"', command, script, "up"]);
      expect(text.split("\n").filter((one) => one.startsWith("[")).length).toBe(3);
    }),
  );
});

const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

test.skipIf(!analyze)("systemd itself finds nothing wrong with a unit of awkward paths", () => {
  const base = join(folder(), `a b"c'd%h;e\\f ü`);
  mkdirSync(base);
  const program = join(base, "node");
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  const launch = {
    command: program,
    args: [join(base, "$HOME %n.js"), "up"],
    env: { DARKMATTER_HOME: base },
  };
  const unit = systemdUnit(AGENT, launch);
  const path = join(folder(), unit.name);
  writeFileSync(path, unit.text);
  const verify = (file: string) =>
    spawnSync("systemd-analyze", ["--user", "verify", "--man=no", file], {
      env: { PATH: process.env.PATH, HOME: base, XDG_RUNTIME_DIR: base },
      encoding: "utf8",
    });
  const said = (file: string) =>
    verify(file)
      .stderr.split("\n")
      .filter((line) => line.includes(unit.name));
  expect(said(path)).toEqual([]);
  const other = join(folder(), unit.name);
  writeFileSync(other, unit.text.replace("%%h", "%h\\"));
  expect(said(other)).not.toEqual([]);
});

test("a property list holds any path, and is one where the system can tell", () => {
  const { text } = launchdAgent(
    AGENT,
    { command: "/a & b/<node>", args: ["x y", "up"], env: { A: "1 < 2" } },
    "/log",
  );
  expect(text).toContain("<string>/a &amp; b/&lt;node&gt;</string>");
  expect(text).toMatch(/<key>SuccessfulExit<\/key>\s*<false\/>/);
  const python = spawnSync(
    "python3",
    ["-c", "import plistlib,sys,json;print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))"],
    { input: text, encoding: "utf8" },
  );
  if (python.status !== 0) return;
  expect(JSON.parse(python.stdout)).toMatchObject({
    Label: `darkmatter.${AGENT.slice(0, 12)}`,
    ProgramArguments: ["/a & b/<node>", "x y", "up"],
    EnvironmentVariables: { A: "1 < 2" },
    RunAtLoad: true,
  });
});

test("a unit is installed with its link, once, and removed with it", () => {
  const user = folder();
  const place = systemdPlace(user, {}, "darkmatter-x.service");
  expect(installUnit(place, "text")).toBe("written");
  expect(installUnit(place, "text")).toBe("same");
  expect(installUnit(place, "other")).toBe("written");
  expect(readFileSync(place.link as string, "utf8")).toBe("other");
  expect(readlinkSync(place.link as string)).toBe("../darkmatter-x.service");
  expect(removeUnit(place)).toBe("removed");
  expect(removeUnit(place)).toBe("absent");
  expect(execFileSync("find", [user, "-name", "darkmatter*"], { encoding: "utf8" })).toBe("");
  expect(launchdPlace("/Users/a", "darkmatter.x").path).toBe(
    "/Users/a/Library/LaunchAgents/darkmatter.x.plist",
  );
});

test("a masked unit stays masked", () => {
  const place = systemdPlace(folder(), {}, "darkmatter-x.service");
  installUnit(place, "text");
  rmSync(place.path);
  symlinkSync("/dev/null", place.path);
  expect(standsInTheWay(place)).toMatch(/\/dev\/null/);
});
