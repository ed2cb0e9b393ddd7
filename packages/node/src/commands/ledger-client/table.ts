import type { Command, CommandInput, ExitCode } from "@darkmatter/surface";
import { SERVER_OPTIONS, serverOptions } from "./own-or-server.ts";

const SERVER_COMMIT = {
  name: "commit",
  required: true,
  summary: "a commit's id, or its number in `recent --server`",
};
const YES = { flags: "-y, --yes", summary: "without asking first" };
const FORCE = { flags: "--force", summary: "replace what is there" };

type Run = (input: CommandInput) => Promise<ExitCode>;

/** What talks to servers is loaded by the command that does: starting any other must not pay for it. */
const looking = (name: "me" | "search" | "pull") => async (input: CommandInput) =>
  (await import("./look.ts"))[name](input);
const acting =
  (name: "fork" | "share" | "listShares" | "revokeShare" | "open"): Run =>
  async (input) =>
    (await import("./act.ts"))[name](input);
const withKeys =
  (name: "generateKey" | "registerKey" | "listKeys" | "revokeKey"): Run =>
  async (input) =>
    (await import("./keys.ts"))[name](input);

/** What a person does at a ledger server. */
export function serverCommands(): Command[] {
  return [initCommand, quickstartCommand, ...readingCommands, ...actingCommands, ...keyCommands];
}

const initCommand: Command = {
  name: "init",
  summary: "make an account at a ledger server, or another agent of one, and keep its key in .env",
  arguments: [],
  options: [
    { flags: "--email <address>", summary: "your email: one account each" },
    {
      flags: "--beside <folder>",
      summary: "no new account: another agent of the one whose key is in that folder's .env",
    },
    { flags: "--agent <name>", summary: "the agent's name (default: this folder's)" },
    { flags: "--env <how>", summary: "append or replace, where .env has keys already (default: asks)" },
    { flags: "--no-test", summary: "without a first commit to try it out" },
    ...serverOptions(", then http://127.0.0.1:5002"),
  ],
  run: async (input) => (await import("./init.ts")).init(input),
};

const quickstartCommand: Command = {
  name: "quickstart",
  summary: "write a small program that commits to the ledger server",
  arguments: [{ name: "kind", required: false, summary: "single (default), openai, anthropic or langgraph" }],
  options: [FORCE],
  run: async (input) => (await import("./quickstart.ts")).quickstart(input),
};

const readingCommands: readonly Command[] = [
  {
    name: "me",
    summary: "which agent the API key is",
    arguments: [],
    options: [...SERVER_OPTIONS],
    run: looking("me"),
  },
  {
    name: "search",
    summary: "find commits of the account, newest first",
    arguments: [{ name: "text...", required: false, summary: "what the payload holds, in any case" }],
    options: [
      { flags: "--model <name>", summary: "by this model" },
      { flags: "--provider <name>", summary: "by this provider" },
      { flags: "--event <type>", summary: "of this type, such as fork or error" },
      { flags: "--trace <id>", summary: "of this trace" },
      { flags: "--agent <id>", summary: "by this agent" },
      { flags: "--verified", summary: "only those that verify" },
      { flags: "--since <time>", summary: "accepted then or later: 2026-11-21, or with a time" },
      { flags: "--until <time>", summary: "accepted then or before; a day counts whole" },
      { flags: "--limit <number>", summary: "how many (default: 50)" },
      ...SERVER_OPTIONS,
    ],
    run: looking("search"),
  },
  {
    name: "pull",
    summary: "what was committed to this agent by others and itself, newest first",
    arguments: [],
    options: [
      { flags: "--since <time>", summary: "accepted then or later: 2026-11-21, or with a time" },
      { flags: "--limit <number>", summary: "how many (default: 50)" },
      ...SERVER_OPTIONS,
    ],
    run: looking("pull"),
  },
  {
    name: "diff",
    summary: "what two chains have different, step by step",
    arguments: [
      { ...SERVER_COMMIT, name: "a" },
      { name: "b", required: false, summary: "the other one" },
    ],
    options: [
      { flags: "--fork", summary: "compare a fork with what it was made of" },
      { flags: "--full", summary: "whole outputs" },
      { flags: "--step <number>", summary: "this step alone" },
      { flags: "--model-only", summary: "models, not outputs" },
      ...SERVER_OPTIONS,
    ],
    run: async (input) => (await import("./diff.ts")).diff(input),
  },
];

const actingCommands: readonly Command[] = [
  {
    name: "fork",
    summary: "go another way from a step of a chain",
    arguments: [SERVER_COMMIT],
    options: [
      { flags: "--from <step>", summary: "from this step (default: the last)" },
      { flags: "--model <name>", summary: "the model that is to go on" },
      { flags: "--branch <name>", summary: "the new branch's name" },
      { flags: "--open", summary: "publish it and show it in the browser" },
      YES,
      ...SERVER_OPTIONS,
    ],
    run: acting("fork"),
  },
  {
    name: "share",
    summary: "publish a chain: whoever has the link sees it; named by a number, this asks first",
    arguments: [SERVER_COMMIT],
    options: [
      { flags: "--label <text>", summary: "what is shown above it" },
      { flags: "--expires <days>", summary: "for so many days" },
      YES,
      ...SERVER_OPTIONS,
    ],
    run: acting("share"),
  },
  {
    name: "shares list",
    summary: "what is published",
    arguments: [],
    options: [...SERVER_OPTIONS],
    run: acting("listShares"),
  },
  {
    name: "shares revoke",
    summary: "take a share back",
    arguments: [{ name: "share", required: true, summary: "its id" }],
    options: [...SERVER_OPTIONS],
    run: acting("revokeShare"),
  },
  {
    name: "open",
    summary: "show a chain in the browser; it is published for it, so this asks first",
    arguments: [
      {
        name: "what",
        required: false,
        summary: "a commit's id, its number in `recent --server` (default: 1), or a share",
      },
    ],
    options: [YES, ...SERVER_OPTIONS],
    run: acting("open"),
  },
  {
    name: "import",
    summary: "commit a verified bundle's steps anew at the ledger server; again, it goes on where it ended",
    arguments: [{ name: "bundle", required: true, summary: "an exported file" }],
    options: [...SERVER_OPTIONS],
    run: async (input) => (await import("./import.ts")).importBundle(input),
  },
];

const keyCommands: readonly Command[] = [
  {
    name: "keys generate",
    summary: "make a key pair to sign commits with, or with --log a ledger server's own",
    arguments: [{ name: "name", required: false, summary: "what it is called (default: signing)" }],
    options: [
      { flags: "--log", summary: "the key that a ledger server signs its log with" },
      { flags: "-o, --output <file>", summary: "where to, with --log (default: in the home)" },
      FORCE,
    ],
    run: withKeys("generateKey"),
  },
  {
    name: "keys register",
    summary: "make the public half known to the server",
    arguments: [{ name: "key", required: true, summary: "its name, or the file of its public half" }],
    options: [
      { flags: "--id <name>", summary: "the id it gets there (default: its name)" },
      { flags: "--description <text>", summary: "what it is for" },
      ...SERVER_OPTIONS,
    ],
    run: withKeys("registerKey"),
  },
  {
    name: "keys list",
    summary: "the account's signing keys",
    arguments: [],
    options: [...SERVER_OPTIONS],
    run: withKeys("listKeys"),
  },
  {
    name: "keys revoke",
    summary: "let a key sign nothing any more",
    arguments: [{ name: "key", required: true, summary: "its id" }],
    options: [YES, ...SERVER_OPTIONS],
    run: withKeys("revokeKey"),
  },
];
