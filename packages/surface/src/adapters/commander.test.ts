import { errorsOf } from "@darkmatter/core";
import { expect, test } from "vitest";
import type { Command, CommandInput } from "../command.ts";
import { runCommandLine } from "./commander.ts";

const failure = errorsOf({
  OUT_OF_INK: { status: 500, retryable: false, message: "no ink", hint: "buy ink" },
});

async function type(argv: string[], run: (input: CommandInput) => Promise<0 | 1 | 2>) {
  const say: Command = {
    name: "say",
    summary: "say something",
    arguments: [
      { name: "who", required: true, summary: "to whom" },
      { name: "words...", required: false, summary: "what" },
    ],
    options: [{ flags: "--loud-voice", summary: "shout" }],
    run,
  };
  const printed = { out: "", err: "" };
  const exit = await runCommandLine({
    name: "parrot",
    summary: "repeats",
    version: "1.0.0",
    commands: [say, { ...say, name: "state export", arguments: [] }],
    argv,
    streams: {
      stdout: (text) => {
        printed.out += text;
      },
      stderr: (text) => {
        printed.err += text;
      },
    },
    signal: new AbortController().signal,
  });
  return { exit, ...printed };
}

test("arguments arrive by name, options in camel case, those of every command too", async () => {
  const { exit, out } = await type(
    ["say", "ana", "good", "day", "--loud-voice", "--home", "/h"],
    async ({ args, options, json, out }) => {
      out.result(`${args.who}: ${args.words}`, {});
      expect(options).toMatchObject({ loudVoice: true, home: "/h" });
      expect(json).toBe(false);
      return 0;
    },
  );
  expect({ exit, out }).toEqual({ exit: 0, out: "ana: good day\n" });
});

test("a variadic argument also arrives word by word, so that a word may hold a space", async () => {
  const { out } = await type(["say", "ana", "good day", "again"], async ({ args, lists, out }) => {
    out.result(`${args.words} = ${lists.words?.join("|")}`, {});
    return 0;
  });
  expect(out).toBe("good day again = good day|again\n");
});

test("under --json only one JSON value is printed, the error of a failed command included", async () => {
  const failed = await type(["say", "bo", "--json"], async ({ out }) => {
    out.line("working");
    throw failure("OUT_OF_INK");
  });
  expect(failed).toEqual({ exit: 1, out: '{"error":"no ink","hint":"buy ink"}\n', err: "" });
});

test("a member of a group is typed as two words", async () => {
  const { exit, out } = await type(["state", "export"], async ({ out }) => {
    out.line("exported");
    return 0;
  });
  expect({ exit, out }).toEqual({ exit: 0, out: "exported\n" });
});

test.each([[["say"]], [["fly"]], [["say", "ana", "--no-such"]], [["state", "burn"]]])(
  "what is typed wrongly ends with 2 and says where help is: %j",
  async (argv) => {
    const { exit, err } = await type(argv, async () => 0);
    expect(exit).toBe(2);
    expect(err).toMatch(/Try: parrot (say |state |state export )?--help/);
  },
);

test("help and version end with 0", async () => {
  expect((await type(["--version"], async () => 0)).out).toBe("1.0.0\n");
  const help = await type(["say", "--help"], async () => 0);
  expect(help.exit).toBe(0);
  expect(help.out).toContain("--passport <file>");
});

test("a mistake names the help of the very command, and help lists what a group holds", async () => {
  const run = async () => 0 as const;
  expect((await type(["say"], run)).err).toContain("Try: parrot say --help");
  expect((await type(["state", "export", "--nope"], run)).err).toContain("Try: parrot state export --help");
  expect((await type(["nope"], run)).err).toContain("Try: parrot --help");
  expect((await type(["--help"], run)).out).toMatch(/^ {2}state +export$/m);
});

test("help puts commands under their headings, groups and itself too", async () => {
  const printed: string[] = [];
  const run = async () => 0 as const;
  const one = { summary: "", arguments: [], options: [], run };
  const line = {
    name: "parrot",
    summary: "repeats",
    version: "1.0.0",
    commands: [
      { ...one, name: "say", group: "Talk:" },
      { ...one, name: "state export", group: "Talk:" },
      { ...one, name: "keep", group: "Keep:" },
    ],
    streams: { stdout: (text: string) => void printed.push(text), stderr: () => undefined },
    signal: new AbortController().signal,
  };
  await runCommandLine({ ...line, argv: ["--help"] });
  expect(printed.join("")).toMatch(/\nTalk:\n {2}say .*\n {2}state .*\n\nKeep:\n {2}keep .*\n {2}help /);
  printed.length = 0;
  await runCommandLine({ ...line, argv: ["state", "--help"] });
  expect(printed.join("")).toMatch(/\nCommands:\n {2}export .*\n {2}help /);
});
