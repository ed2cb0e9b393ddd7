import { once } from "node:events";
import { DarkMatterError } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import type { RunningLedgerServer } from "../adapters/ledger-server.ts";
import { homeFolder } from "../adapters/passport-peek.ts";
import { textOption } from "./context.ts";
import { hostOption, isLocalHost, portOf, portOption, webUrlOf } from "./listening-options.ts";

export function serveLedgerCommand(): Command {
  return {
    name: "serve ledger",
    summary:
      "run a ledger server until Ctrl-C: agents of a team commit to it over HTTP, auditors read and check it",
    arguments: [],
    options: [
      portOption("5002"),
      hostOption,
      {
        flags: "--database <url>",
        summary: "a PostgreSQL URL, for several processes; by default a file in the home",
      },
      { flags: "--publish <folder>", summary: "write checkpoints to a folder that any web server can serve" },
      { flags: "--base-url <url>", summary: "the URL others reach it by, which links in answers begin with" },
      {
        flags: "--trust-proxy",
        summary: "count callers by X-Forwarded-For: only behind a proxy that sets it",
      },
      { flags: "--dev", summary: "make the log's key at the first start: to try things out" },
    ],
    run: serveLedger,
  };
}

async function serveLedger({ options, out, signal }: CommandInput): Promise<ExitCode> {
  const [{ startLedgerServer }, { databaseUrl, parseLedgerServerSettings }] = await Promise.all([
    import("../adapters/ledger-server.ts"),
    import("../ledger-server-config.ts"),
  ]);
  const settings = parseLedgerServerSettings(process.env);
  const database = databaseUrl(textOption(options.database), "--database") ?? settings.database;
  const host = textOption(options.host) ?? "127.0.0.1";
  await using server = await startLedgerServer({
    home: homeFolder({ home: textOption(options.home) }, process.env),
    host,
    port: portOf(options.port),
    baseUrl: webUrlOf(textOption(options.baseUrl), "--base-url"),
    trustProxy: options.trustProxy === true,
    isDevelopment: options.dev === true,
    publish: textOption(options.publish),
    settings: { ...settings, database },
  });
  out.result(announcement(server, host), {
    url: server.url,
    base_url: server.baseUrl,
    host,
    urls_for_others: [...server.urlsForOthers],
    pid: process.pid,
    state: server.folder,
    log: server.log,
    database: server.database,
    log_key: server.logKey,
    ...(server.madeKey !== undefined && { made_key: server.madeKey }),
  });
  if (signal.aborted) return EXIT_OK;
  const end = await Promise.race([once(signal, "abort"), server.ended]);
  if (end instanceof DarkMatterError) throw end;
  return EXIT_OK;
}

function announcement(server: RunningLedgerServer, host: string): string {
  const { url, baseUrl, folder, log, database, logKey, madeKey } = server;
  const lines = [
    `DarkMatter ledger at ${baseUrl}${baseUrl === url ? "" : ` (listening at ${url})`}`,
    ...listeningLines(server, host),
    database === "sqlite" ? `  state   ${folder}` : "  state   the PostgreSQL database",
    `  log     ${log}`,
    `  API     ${baseUrl}/docs`,
    `  log key ${logKey}`,
    ...(madeKey === undefined
      ? []
      : [
          "",
          `The log's key was made: ${madeKey}`,
          "Keep a copy of it. Whoever has it can sign in this log's name; without it the log cannot go on.",
        ]),
    "",
    "The first agent, and its API key, which is shown once:",
    `  curl -X POST ${baseUrl}/api/provision -H 'content-type: application/json' \\`,
    `    -d '{"email":"you@example.org","agentName":"first"}'`,
    "Its first commit:",
    `  curl -X POST ${baseUrl}/api/commit -H 'authorization: Bearer dm_sk_…' \\`,
    `    -H 'content-type: application/json' -d '{"payload":{"input":"Q","output":"A"}}'`,
    "",
    ...(isLocalHost(url) && !isEveryAddress(host)
      ? []
      : ["Put it behind a proxy that speaks HTTPS, with --base-url and --trust-proxy."]),
    "Ctrl-C stops the server; what it holds stays.",
  ];
  return lines.join("\n");
}

const isEveryAddress = (host: string) => host === "0.0.0.0" || host === "::";

/** An address that only this machine has says nothing about how others come in. */
function listeningLines({ url, baseUrl, urlsForOthers }: RunningLedgerServer, host: string): string[] {
  if (!isEveryAddress(host)) return [];
  const others = urlsForOthers.length > 0 ? urlsForOthers.join(", ") : "by the address of this machine";
  return [
    `  listens on all addresses (${host}), port ${new URL(url).port}; others reach it at ${others}`,
    ...(baseUrl === url
      ? ["  links in answers say 127.0.0.1: name with --base-url what others shall use"]
      : []),
  ];
}
