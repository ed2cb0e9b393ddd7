import { isJsonObject, parseJson } from "@darkmatter/core";
import { createUndiciWire, firstFreePort, isPortFree } from "@darkmatter/net";
import { candidates } from "../../adapters/listen.ts";
import type { OwnerCard } from "../../adapters/owner-card.ts";
import type { Config } from "../../config.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

const ASK_MS = 2000;
/** How far from the port that is taken another is looked for. */
const NEXT_PORTS = 50;

/** Whether our node answers at its port, or could listen at the one it is told to. */
export async function checkPort(
  config: Config,
  agentId: string,
  owner: OwnerCard | undefined,
  last: OwnerCard | undefined,
  { command }: Typing,
): Promise<Finding[]> {
  if (owner) return [await ownPort(owner, agentId)];
  const [first = 0] = candidates(config.port, last?.port ?? 0);
  if (first === 0) return [ok("port", "any free one")];
  if (await isPortFree(first, config.host)) return [ok("port", `${first} is free`)];
  const taker = await whoAnswers(first);
  const next = Array.from({ length: NEXT_PORTS }, (_, at) => first + 1 + at).filter((port) => port < 65_536);
  const free = (await firstFreePort(next, config.host)) ?? 0;
  const what = `${first} is taken by ${taker}: the node would listen elsewhere`;
  return [warn("port", what, command("up", `DARKMATTER_PORT=${free}`))];
}

async function ownPort(owner: OwnerCard, agentId: string): Promise<Finding> {
  if (owner.port === 0) return ok("port", "the node is starting");
  const who = await whoAnswers(owner.port, owner.host);
  const where = `${owner.host}:${owner.port}`;
  if (who === agentId) return ok("port", `the node answers at ${where}`);
  return fail(
    "port",
    `at ${where}, where the node should be, answers ${who}`,
    `Stop the node (kill ${owner.pid}) and start it again: it listens at a port that is free.`,
  );
}

/** The agent's id, or what else there is. */
async function whoAnswers(port: number, host = "127.0.0.1"): Promise<string> {
  const wire = createUndiciWire();
  const at = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  try {
    const url = `http://${at.includes(":") ? `[${at}]` : at}:${port}/.well-known/darkmatter.json`;
    const { body } = await wire.request({ method: "GET", url, timeoutMs: ASK_MS, reach: "private" });
    const said = parseJson(new TextDecoder().decode(body));
    const agentId = isJsonObject(said) ? said.agent_id : undefined;
    return typeof agentId === "string" && /^[0-9a-f]{64}$/.test(agentId) ? agentId : "another program";
  } catch {
    // It speaks no HTTP, or not to us: whoever it is, it is not the node.
    return "another program";
  } finally {
    await wire.close();
  }
}
