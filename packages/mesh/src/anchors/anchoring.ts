import { type JsonObject, MINUTE_MS } from "@darkmatter/core";
import type { Background } from "../background.ts";
import type { Connections } from "../connections/connections.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transport } from "../transports/transport.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import { anchorTransport } from "./anchor-way.ts";
import type { Anchors } from "./anchors.ts";
import { createEntries } from "./entries.ts";
import { createPolls } from "./polls.ts";
import { createSdpDesk, type SdpRelay } from "./sdp-relay.ts";

/** All that a node does with anchors. */
export interface Anchoring {
  readonly anchors: Anchors;
  /** Looks, in the background, for what lies with the anchors. */
  poll(): void;
  /** A way to peers nobody can call. */
  readonly way: Transport;
  /** A way for offers and answers. */
  readonly relay: SdpRelay;
}

/** Anchors that do not know us are told at most this often. */
const TOLD_PERIOD_MS = MINUTE_MS;

export interface AnchoringServices {
  readonly anchors: Anchors;
  readonly background: Background;
  readonly connections: Pick<Connections, "get">;
  /** Tells the anchors where we are. */
  announce(): Promise<void>;
  /** Made after the ways to peers are. */
  callbacks(): Callbacks;
}

export function createAnchoring(
  ports: MeshPorts,
  { anchors, background, connections, announce, callbacks }: AnchoringServices,
): Anchoring {
  const { clock } = ports;
  let toldMs = Number.NEGATIVE_INFINITY;

  /** An anchor that lost what it knew would hold nothing more for us. */
  function unknown(): void {
    if (clock.monotonic() - toldMs < TOLD_PERIOD_MS) return;
    toldMs = clock.monotonic();
    background.start("anchors.told", announce);
  }

  function tellReceipt({ from_agent_id: from, webhook }: JsonObject, receipt: JsonObject): void {
    if (typeof from !== "string" || typeof webhook !== "string") return;
    background.start("anchor.receipt", async () => {
      const connected = (await connections.get(ports.db, from)) !== undefined;
      const notice = { type: "receipt", agent_id: ports.signer.agentId, receipt };
      await callbacks().post(webhook, { from, connected }, notice);
    });
  }

  // An answer to an offer takes seconds to make: polls go on meanwhile.
  const takeSignal = async (signal: JsonObject) => background.start("anchor.signal", () => desk.take(signal));
  const takeEntry = createEntries(ports, takeSignal, tellReceipt);
  const polls = createPolls(ports, anchors, takeEntry, unknown);
  const poll = () => background.start("anchors.polled", () => polls.run());
  const desk = createSdpDesk(ports, anchors, poll);
  return { anchors, poll, way: anchorTransport(ports, anchors), relay: desk };
}
