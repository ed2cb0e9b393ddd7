import fc from "fast-check";
import { expect, test } from "vitest";
import type { Editor } from "./edit.ts";
import { jsonEntry } from "./json-entry.ts";
import { tomlEntry } from "./toml-entry.ts";

const KEYS = ["mcpServers", "darkmatter"];
const TABLE = ["mcp_servers", "darkmatter"];
const ENTRY = { command: "/opt/node", args: ["/d/darkmatter.js", "mcp"], env: { A: 'say "hi" \\ ünï' } };

function put(editor: Editor, text: string, keys = KEYS, entry: object = ENTRY): string {
  const done = editor.put(text, keys, entry as Record<string, unknown>);
  if (done.kind !== "changed") throw new Error(`${done.kind}: ${"reason" in done ? done.reason : ""}`);
  return done.text;
}

function take(editor: Editor, text: string, keys = KEYS, container = false): string {
  const done = editor.take(text, keys, undefined, container);
  if (done.kind !== "changed") throw new Error(`${done.kind}: ${"reason" in done ? done.reason : ""}`);
  return done.text;
}

const COMMENTED = `{
  // my servers
  "mcpServers": {
    "files": { "command": "npx" }, // the first
    /* kept */
    "web": {
      "url": "http://127.0.0.1:9/mcp",
    }, // trailing comma and comment
    // nothing below
  },
  "theme": "dark",
}
`;

test("an entry joins a file with comments and trailing commas, and leaves it as it was", () => {
  const changed = put(jsonEntry, COMMENTED);
  expect(changed).toContain("// trailing comma and comment");
  expect(changed).toMatch(/\/\/ nothing below\n {4}"darkmatter": \{\n {6}"command": "\/opt\/node",/);
  expect(jsonEntry.find(changed, KEYS)).toMatchObject({ kind: "found", value: ENTRY });
  expect(take(jsonEntry, changed)).toBe(COMMENTED);
});

test.each([
  ["two spaces", '{\n  "mcpServers": {\n    "a": {}\n  }\n}\n', false],
  ["tabs", '{\n\t"mcpServers": {\n\t\t"a": {}\n\t}\n}\n', false],
  ["carriage returns", '{\r\n  "mcpServers": {\r\n    "a": {}\r\n  }\r\n}\r\n', false],
  ["a byte order mark", '\ufeff{\n  "mcpServers": {\n    "a": {}\n  }\n}', false],
  ["no servers yet", '{\n  "theme": "dark"\n}\n', true],
])("an entry goes in and out of a file with %s byte for byte", (_name, text, container) => {
  const changed = put(jsonEntry, text);
  expect(jsonEntry.put(changed, KEYS, ENTRY)).toEqual({ kind: "same" });
  expect(take(jsonEntry, changed, KEYS, container)).toBe(text);
  if (text.includes("\r\n")) expect(changed.replaceAll("\r\n", "")).not.toContain("\n");
});

test("what others added around an entry stays when it is taken out", () => {
  const changed = put(jsonEntry, '{\n  "theme": "dark"\n}\n');
  const later = put(jsonEntry, changed, ["mcpServers", "other"], { command: "x" });
  const left = take(jsonEntry, later, KEYS, true);
  expect(JSON.parse(left)).toEqual({ theme: "dark", mcpServers: { other: { command: "x" } } });
});

test("of an entry that is there only what is ours is set", () => {
  const text = `{"mcpServers":{"darkmatter":{"command":"old","args":["mcp"],"timeout":5 /* mine */,"env":{}}}}`;
  const changed = put(jsonEntry, text);
  expect(jsonEntry.find(changed, KEYS)).toMatchObject({ value: { ...ENTRY, timeout: 5 } });
  expect(changed).toContain("/* mine */");
  const before = jsonEntry.find(text, KEYS);
  const restored = jsonEntry.take(changed, KEYS, before.kind === "found" ? before.source : "", false);
  expect(restored).toEqual({ kind: "changed", text });
});

test.each([
  ["half a file", '{"mcpServers": {', /damaged at line 1/],
  ["words", "hello", /damaged at line 1, column 1/],
  ["a list", "[]", /array/],
  ["servers that are no object", '{"mcpServers": []}', /no object/],
  ["servers said twice", '{"mcpServers": {}, "mcpServers": {"a": {}}}', /more than once/],
])("a file of %s is left alone, and it is said why", (_name, text, reason) => {
  expect(jsonEntry.put(text, KEYS, ENTRY)).toMatchObject({
    kind: "refused",
    reason: expect.stringMatching(reason),
  });
});

test("any JSON file takes an entry in and gives it out, and says the same besides", () => {
  const value = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2, "\t"), (object, indent) => {
      fc.pre(!Object.hasOwn(object, "mcpServers") && !Object.hasOwn(object, "__proto__"));
      const text = JSON.stringify(object, null, indent);
      const changed = put(jsonEntry, text);
      expect(JSON.parse(changed)).toEqual({ ...JSON.parse(text), mcpServers: { darkmatter: ENTRY } });
      expect(JSON.parse(take(jsonEntry, changed, KEYS, true))).toEqual(JSON.parse(text));
    }),
  );
});

const TOML = `# mine
model = "x" # kept

[mcp_servers.files]
command = "npx"
args = [
  "a", # one
]

# about the other
[profiles.p]
text = """
[not a table]
"""
`;

test("a table joins a TOML file at its end, and leaves it as it was", () => {
  const changed = put(tomlEntry, TOML, TABLE);
  expect(changed.startsWith(TOML)).toBe(true);
  expect(tomlEntry.find(changed, TABLE)).toMatchObject({ value: ENTRY });
  expect(tomlEntry.put(changed, TABLE, ENTRY)).toEqual({ kind: "same" });
  expect(take(tomlEntry, changed, TABLE)).toBe(TOML);
});

test("a table is taken out from between others with its sub-tables, and comments of others stay", () => {
  const text = `${put(tomlEntry, TOML, TABLE)}
[mcp_servers.darkmatter.tools.send]
approval_mode = "prompt"

# about the last
[last]
a = 1
`;
  const left = take(tomlEntry, text, TABLE);
  expect(left).toContain("# about the last\n[last]");
  expect(left).not.toContain("darkmatter");
  expect(left.startsWith(TOML)).toBe(true);
});

test("an older table is brought up to date where it stands, keeps its other settings, and can be put back", () => {
  const old = `[mcp_servers.darkmatter]\ncommand = "old"\nargs = [\n "mcp",\n]\nstartup_timeout_sec = 30\n\n[last]\na = 1\n`;
  const changed = put(tomlEntry, old, TABLE);
  expect(tomlEntry.find(changed, TABLE)).toMatchObject({ value: { ...ENTRY, startup_timeout_sec: 30 } });
  expect(changed.endsWith("\n\n[last]\na = 1\n")).toBe(true);
  const before = tomlEntry.find(old, TABLE);
  const restored = tomlEntry.take(changed, TABLE, before.kind === "found" ? before.source : "", false);
  expect(restored).toEqual({ kind: "changed", text: old });
});

test.each([
  ["damaged", "model = ", /damaged at line 1/],
  ["with servers in one line", 'mcp_servers = { a = { command = "x" } }\n', /cannot be added to/],
  [
    "with a table of ours inside a text",
    'a = """\n[mcp_servers.darkmatter]\n"""\n[mcp_servers]\ndarkmatter = { command = "x" }\n',
    /cannot be added to/,
  ],
])("a TOML file %s is left alone", (_name, text, reason) => {
  expect(tomlEntry.put(text, TABLE, ENTRY)).toMatchObject({
    kind: "refused",
    reason: expect.stringMatching(reason),
  });
});

test("any text survives as a value of a TOML table", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.string({ minLength: 1, unit: "grapheme" }),
      (value, name) => {
        const changed = put(tomlEntry, "a = 1\n", TABLE, { ...ENTRY, env: { [name]: value } });
        expect(tomlEntry.find(changed, TABLE)).toMatchObject({ value: { env: { [name]: value } } });
      },
    ),
  );
});
