import { randomUUID } from "node:crypto";
import { duplexPair } from "node:stream";
import { type JsonObject, reasonOf, systemClock } from "@darkmatter/core";
import { serveMcpStream } from "@darkmatter/surface";
import { HELLO_MS } from "../../adapters/owner-search.ts";
import type { Agent, OwningOptions } from "../../adapters/owning.ts";
import { linkToOwner } from "../../adapters/relay-link.ts";
import { openToolClient } from "../../adapters/tool-client.ts";
import { openLayer } from "../../adapters/visit.ts";
import { RELAY_PROTOCOL } from "../../handshake.ts";
import { type Finding, warn } from "../finding.ts";
import { reachedFindings } from "../reached.ts";
import { checkLedger } from "./check-ledger.ts";
import type { Typing } from "./patient.ts";

/** What the node that runs says of its ways. */
export async function askOwner(agent: Agent, version: string, { command }: Typing): Promise<Finding[]> {
  const session = {
    darkmatter: RELAY_PROTOCOL,
    pid: process.pid,
    session: randomUUID(),
    called: [],
  } as const;
  const link = await linkToOwner(agent.socket, { ...session, version, role: "command" }, HELLO_MS);
  if (link.kind !== "attached") return [warn("node", "it ended while it was looked at", command("doctor"))];
  try {
    const { call } = await openToolClient(link.socket, version);
    return reachedFindings(await call("darkmatter_diagnose"), systemClock.now());
  } catch (error) {
    return [
      warn("node", `the node that runs cannot say how it is reached: ${reasonOf(error)}`, command("up")),
    ];
  } finally {
    link.socket.destroy();
  }
}

/** The ledger, from the disk; with no node running also the ways, tried from here. */
export async function askState(options: OwningOptions, agent: Agent, nobody: boolean, typing: Typing) {
  await using undo = new AsyncDisposableStack();
  const { db, layer } = await openLayer(options, agent, "read", undo);
  const ledger = await checkLedger(db, layer, typing);
  if (!nobody) return ledger;
  const [near, far] = duplexPair();
  undo.defer(() => void near.destroy());
  serveMcpStream(
    layer.tools,
    { input: far, output: far },
    { session: randomUUID(), identity: { name: "darkmatter", version: "0" }, onError: () => undefined },
  );
  const { call } = await openToolClient(near, "0");
  const said: JsonObject = await call("darkmatter_diagnose");
  return [...ledger, ...reachedFindings(said, systemClock.now())];
}
