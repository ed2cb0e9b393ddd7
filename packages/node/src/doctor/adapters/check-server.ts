import { resolve } from "node:path";
import { DarkMatterError, systemClock } from "@darkmatter/core";
import { createUndiciWire } from "@darkmatter/net";
import { nodeFiles } from "@darkmatter/store";
import type { Config } from "../../config.ts";
import { hasApiKey, type ServerSettings, serverSettings } from "../../ledger-client/settings.ts";
import { type Finding, fail, warn } from "../finding.ts";
import { checkServer } from "../server-check.ts";

/** The ledger servers this folder and this node are set up for; none is no finding. */
export async function checkServers(config: Config | undefined, timeoutMs: number): Promise<Finding[]> {
  const named = await namedServer(config);
  if ("finding" in named) return named.finding ? [named.finding] : [];
  const mirror = config?.mirror;
  const servers = [
    ...(named.server ? [named.server] : []),
    ...(mirror && mirror.url !== named.server?.host
      ? [{ host: mirror.url, apiKey: mirror.apiKey, agentId: undefined }]
      : []),
  ];
  await using undo = new AsyncDisposableStack();
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const signal = AbortSignal.timeout(timeoutMs);
  const found = await Promise.all(
    servers.map((server) => checkServer({ ...server, wire, clock: systemClock, signal })),
  );
  return found.flat();
}

type Named = { readonly server: ServerSettings | undefined } | { readonly finding: Finding | undefined };

async function namedServer(config: Config | undefined): Promise<Named> {
  const dotEnv = (await nodeFiles.read(resolve(".env"))) ?? "";
  try {
    return { server: serverSettings({ host: undefined, isInsecure: false, dotEnv, env: process.env }) };
  } catch (error) {
    if (!(error instanceof DarkMatterError)) throw error;
    const { code, message, hint } = error;
    // A key alone is what a mirror needs, too.
    if (code !== "SERVER_UNSET") return { finding: fail("server", message, hint) };
    if (config?.mirror || !hasApiKey(dotEnv, process.env)) return { server: undefined };
    return { finding: warn("server", "an API key is set, and no ledger server", hint) };
  }
}
