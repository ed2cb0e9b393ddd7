import { once } from "node:events";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { confirmed } from "../adapters/confirm.ts";
import { homeFolder } from "../adapters/passport-peek.ts";
import type { RunningWitnessServer } from "../adapters/witness-server.ts";
import { nodeError } from "../errors.ts";
import { textOption } from "./context.ts";
import { hostOption, isLocalHost, portOf, portOption, webUrlOf } from "./listening-options.ts";

export function serveWitnessCommand(): Command {
  return {
    name: "serve witness",
    summary:
      "run a witness until Ctrl-C: it signs what a ledger server says of its log, if nothing was rewritten",
    arguments: [],
    options: [
      { flags: "--log-url <url>", summary: "the ledger server" },
      {
        flags: "--log-key <file>",
        summary: "the log's public key in PEM, from a source you trust; kept from then on",
      },
      portOption("5003"),
      hostOption,
      {
        flags: "--trust-proxy",
        summary: "count callers by X-Forwarded-For: only behind a proxy that sets it",
      },
    ],
    run: serveWitness,
  };
}

async function serveWitness({ options, out, signal }: CommandInput): Promise<ExitCode> {
  const logUrl = webUrlOf(textOption(options.logUrl), "--log-url");
  if (logUrl === undefined) throw nodeError("USAGE", "--log-url names the ledger server to be a witness of.");
  const { startWitnessServer } = await import("../adapters/witness-server.ts");
  await using witness = await startWitnessServer({
    home: homeFolder({ home: textOption(options.home) }, process.env),
    host: textOption(options.host) ?? "127.0.0.1",
    port: portOf(options.port),
    logUrl,
    logKeyFile: textOption(options.logKey),
    trustProxy: options.trustProxy === true,
    confirm: (key) => confirmKey(logUrl, key),
  });
  out.result(announcement(witness, logUrl), {
    url: witness.url,
    pid: process.pid,
    state: witness.folder,
    log: witness.log,
    witness_id: witness.witnessId,
    public_key: witness.publicKey,
    log_keys: [...witness.logKeys],
    log_key_compared: witness.uncompared === undefined,
    register: registrationOf(witness),
  });
  if (!signal.aborted) await once(signal, "abort");
  return EXIT_OK;
}

async function confirmKey(logUrl: string, key: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw nodeError("LOG_KEY_UNCONFIRMED", `${logUrl} says that its key is ${key}: nobody confirmed that.`);
  await confirmed(`${logUrl} says that its key is ${key}. Is that what its operator told you?`);
}

function registrationOf({ url, publicKey, witnessId }: RunningWitnessServer) {
  return { name: witnessId, publicKey, endpointUrl: `${url}/witness` };
}

function announcement(witness: RunningWitnessServer, logUrl: string): string {
  const { url, folder, log, witnessId, logKeys, uncompared } = witness;
  return [
    `DarkMatter witness ${witnessId} at ${url}`,
    `  state ${folder}`,
    `  log   ${log}`,
    `  signs for ${logKeys.join(", ")}`,
    ...(uncompared === undefined ? [] : [`  not compared with what the log says: ${uncompared}`]),
    "",
    "The ledger's admin makes it known with",
    `  curl -X POST ${logUrl}/api/admin/witnesses -H "authorization: Bearer $DARKMATTER_LEDGER_ADMIN_SECRET" \\`,
    `    -H 'content-type: application/json' -d '${JSON.stringify(registrationOf(witness))}'`,
    ...(isLocalHost(url) ? ["(endpointUrl as the ledger server reaches it)"] : []),
    "",
    "Ctrl-C stops the witness; its key and what it signed stay.",
  ].join("\n");
}
