import { MINUTE_MS } from "@darkmatter/core";
import type { Background } from "../background.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transport } from "../transports/transport.ts";
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

/** `announce` tells them where we are. */
export function createAnchoring(
  ports: MeshPorts,
  anchors: Anchors,
  background: Background,
  announce: () => Promise<void>,
): Anchoring {
  const { clock } = ports;
  let toldMs = Number.NEGATIVE_INFINITY;

  /** An anchor that lost what it knew would hold nothing more for us. */
  function unknown(): void {
    if (clock.monotonic() - toldMs < TOLD_PERIOD_MS) return;
    toldMs = clock.monotonic();
    background.start("anchors.told", announce);
  }

  // An answer to an offer takes seconds to make: polls go on meanwhile.
  const takeEntry = createEntries(ports, async (signal) => {
    background.start("anchor.signal", () => desk.take(signal));
  });
  const polls = createPolls(ports, anchors, takeEntry, unknown);
  const poll = () => background.start("anchors.polled", () => polls.run());
  const desk = createSdpDesk(ports, anchors, poll);
  return { anchors, poll, way: anchorTransport(ports, anchors), relay: desk };
}
