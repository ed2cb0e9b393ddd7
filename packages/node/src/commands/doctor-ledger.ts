import { systemClock } from "@darkmatter/core";
import { createUndiciWire } from "@darkmatter/net";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { checkServer, tryCommit } from "../doctor/server-check.ts";
import { serverSettings } from "../ledger-client/settings.ts";
import { findingLines } from "./doctor-lines.ts";
import { settingSources } from "./ledger-client/at-server.ts";

/** `doctor ledger`: whether the ledger server of this folder takes, verifies and replays a commit. */
export async function doctorLedger(input: CommandInput): Promise<ExitCode> {
  await using undo = new AsyncDisposableStack();
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const settings = serverSettings(await settingSources(input));
  const ports = { ...settings, wire, clock: systemClock, signal: input.signal };
  const looked = await checkServer(ports);
  const isUsable = looked.every(({ level }) => level !== "fail") && settings.apiKey !== undefined;
  const findings = [...looked, ...(isUsable ? await tryCommit(ports) : [])];
  const isHealthy = isUsable && findings.every(({ level }) => level !== "fail");
  input.out.result(findings.flatMap(findingLines).join("\n"), {
    healthy: isHealthy,
    findings: findings.map((finding) => ({ ...finding })),
  });
  return isHealthy ? EXIT_OK : EXIT_FAILURE;
}
