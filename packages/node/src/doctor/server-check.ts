import { DarkMatterError, MINUTE_MS, parseTime, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import { z } from "zod";
import { type CallPorts, createCalls } from "../ledger-client/calls.ts";
import { createLedgerClient } from "../ledger-client/client.ts";
import { clientError } from "../ledger-client/errors.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** A clock that is further off makes a server warn about every signed commit (ledger.md 2.8). */
const SKEW_MAX_MS = 300 * SECOND_MS;
/** A log that grew is signed every ten minutes; twice that is late. */
const CHECKPOINT_MAX_MS = 20 * MINUTE_MS;

const Stats = z.looseObject({ agents: z.number(), commits: z.number() });
const Latest = z.looseObject({
  checkpoint: z.looseObject({ tree_size: z.number(), timestamp: z.string() }).nullable(),
});

/**
 * Whether a ledger server answers, is in time, signs its log and knows who this is. Changes nothing there.
 * @throws STOPPED when interrupted: that says nothing of the server
 */
export async function checkServer(ports: CallPorts): Promise<Finding[]> {
  const { host, apiKey, clock } = ports;
  const dated = datedWire(ports.wire);
  const { call } = createCalls({ ...ports, wire: dated.wire });
  const findings: Finding[] = [];
  try {
    const stats = await call(Stats, { path: "/api/stats", isAnonymous: true });
    findings.push(
      ok("server", `${host} answers; it holds ${stats.commits} commits of ${stats.agents} agents`),
    );
    const skewMs = dated.skewMs(clock.now());
    if (skewMs !== undefined && Math.abs(skewMs) > SKEW_MAX_MS) findings.push(skewed(host, skewMs));
    const { checkpoint } = await call(Latest, { path: "/api/log/checkpoint", isAnonymous: true });
    findings.push(checkpointFinding(checkpoint, stats.commits, clock.now() + (skewMs ?? 0)));
    findings.push(apiKey === undefined ? KEYLESS : await callerFinding(ports));
  } catch (error) {
    if (ports.signal.aborted) throw clientError("STOPPED", undefined, error);
    findings.push(failed(error));
  }
  return findings;
}

const KEYLESS = warn(
  "server",
  "no API key is set, so nothing can be committed or read there",
  "Get one: darkmatter init. Or put DARKMATTER_API_KEY into .env or the environment.",
);

/** Commits something, and has it verified and replayed: only when asked for, since it stays. @throws STOPPED_WRITING */
export async function tryCommit(ports: CallPorts): Promise<Finding[]> {
  const client = createLedgerClient(ports);
  try {
    const body = { payload: { input: "Does the ledger take commits?", output: "darkmatter doctor ledger" } };
    const { id } = await client.commit(JSON.stringify(body));
    const taken = ok("server", `took the commit ${id}`);
    const { chain_intact, length } = await client.verify(id);
    const { replay } = await client.replay(id);
    const isWhole = chain_intact === true && length === 1 && replay[0]?.id === id;
    const verdict = isWhole
      ? ok("server", "verifies and replays it")
      : fail(
          "server",
          `does not verify or replay ${id}`,
          "Its operator should look: darkmatter ledger check",
        );
    return [taken, verdict];
  } catch (error) {
    if (ports.signal.aborted) throw clientError("STOPPED_WRITING", undefined, error);
    return [failed(error)];
  }
}

async function callerFinding(ports: CallPorts & { readonly agentId: string | undefined }): Promise<Finding> {
  const me = await createLedgerClient(ports).me();
  if (ports.agentId === undefined || ports.agentId === me.agentId)
    return ok("server", `the API key is that of ${me.agentName} (${me.agentId})`);
  return fail(
    "server",
    `the API key is that of ${me.agentId}, and DARKMATTER_AGENT_ID says ${ports.agentId}`,
    `Set DARKMATTER_AGENT_ID=${me.agentId}, or the key that belongs to ${ports.agentId}.`,
  );
}

function checkpointFinding(
  checkpoint: z.infer<typeof Latest>["checkpoint"],
  commits: number,
  nowMs: number,
): Finding {
  if (!checkpoint) return ok("server", "its log was not signed yet");
  const { tree_size, timestamp } = checkpoint;
  const ageMs = nowMs - (parseTime(timestamp) ?? nowMs);
  const said = `its log was last signed at ${tree_size} of ${commits} commits, on ${timestamp}`;
  if (tree_size >= commits || ageMs < CHECKPOINT_MAX_MS) return ok("server", said);
  return warn(
    "server",
    said,
    "It should be signed every ten minutes: its operator finds the reason in its log.",
  );
}

function skewed(host: string, skewMs: number): Finding {
  const seconds = Math.round(Math.abs(skewMs) / SECOND_MS);
  const how = skewMs > 0 ? "behind" : "ahead of";
  return warn(
    "server",
    `this machine's clock is ${seconds} s ${how} that of ${host}`,
    "Set the clock, best by NTP.",
  );
}

function failed(error: unknown): Finding {
  if (!(error instanceof DarkMatterError)) throw error;
  return fail("server", reasonOf(error), error.hint);
}

/** Notes what time the other side says it is. */
function datedWire(wire: Wire) {
  let atMs: number | undefined;
  const noting: Wire = {
    async request(request) {
      const answer = await wire.request(request);
      const saidMs = Date.parse(answer.headers.date ?? "");
      if (!Number.isNaN(saidMs)) atMs = saidMs;
      return answer;
    },
    close: () => wire.close(),
  };
  return { wire: noting, skewMs: (nowMs: number) => (atMs === undefined ? undefined : atMs - nowMs) };
}
