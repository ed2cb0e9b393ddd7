import { once } from "node:events";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { homeFolder } from "../adapters/passport-peek.ts";
import { textOption } from "./context.ts";
import { hostOption, portOf, portOption } from "./listening-options.ts";
import { serveLedgerCommand } from "./serve-ledger.ts";
import { serveWitnessCommand } from "./serve-witness.ts";

/** Servers that are no agent: they have no passport, and a state of their own. */
export function serveCommands(): Command[] {
  return [
    {
      name: "serve anchor",
      summary:
        "run an anchor until Ctrl-C: it keeps agents' addresses, and holds sealed messages for those behind NAT",
      arguments: [],
      options: [
        portOption("5001"),
        hostOption,
        {
          flags: "--trust-proxy",
          summary: "count callers by X-Forwarded-For: only behind a proxy that sets it",
        },
      ],
      run: serveAnchor,
    },
    serveLedgerCommand(),
    serveWitnessCommand(),
    ...operatorCommands(),
  ];
}

const database = {
  flags: "--database <url>",
  summary: "the server's PostgreSQL URL; by default the file in the home",
};

/** What the operator of a ledger server does beside it; the server may run meanwhile. */
function operatorCommands(): Command[] {
  return [
    {
      name: "ledger check",
      summary: "check every hash, link, signature and node of the tree of a ledger server's log",
      arguments: [],
      options: [database],
      run: async (input) => (await import("./ledger-operator.ts")).check(input),
    },
    {
      name: "ledger reset-password",
      summary: "let the person of an account set a password, once and within a day",
      arguments: [{ name: "email", required: true, summary: "of the account" }],
      options: [
        database,
        { flags: "--base-url <url>", summary: "the server's URL, for the line to hand on" },
      ],
      run: async (input) => (await import("./ledger-operator.ts")).resetPassword(input),
    },
  ];
}

async function serveAnchor({ options, out, signal }: CommandInput): Promise<ExitCode> {
  const { startAnchorServer } = await import("../adapters/anchor-server.ts");
  const port = portOf(options.port);
  const host = textOption(options.host) ?? "127.0.0.1";
  const home = homeFolder({ home: textOption(options.home) }, process.env);
  await using server = await startAnchorServer({ home, host, port, trustProxy: options.trustProxy === true });
  out.result(announcement(server, host), {
    url: server.url,
    pid: process.pid,
    state: server.folder,
    log: server.log,
  });
  if (!signal.aborted) await once(signal, "abort");
  return EXIT_OK;
}

function announcement(server: { url: string; folder: string; log: string }, host: string): string {
  const isHere = /^(localhost|127\.|::1$|\[::1\]$)/.test(host);
  const { port } = new URL(server.url);
  const lines = [
    `DarkMatter anchor at ${server.url}`,
    `  state ${server.folder}`,
    `  log   ${server.log}`,
    "",
    "Nodes that shall use it are started with",
    `  DARKMATTER_ANCHOR_NODES=${isHere ? server.url : `http://THIS-MACHINE:${port}`}`,
    isHere
      ? "Only this machine reaches it: --host 0.0.0.0 opens it to others."
      : "Put it behind a proxy that speaks HTTPS (and add --trust-proxy) where strangers share the way to it.",
    "",
    "Ctrl-C stops the anchor; what it holds stays on disk.",
  ];
  return lines.join("\n");
}
