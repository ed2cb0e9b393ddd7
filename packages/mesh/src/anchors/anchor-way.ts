import type { JsonObject } from "@darkmatter/core";
import { isAdmissibleKey } from "@darkmatter/core";
import { RELAY_BYTES_MAX } from "../anchor/relay-kind.ts";
import type { MeshPorts } from "../ports.ts";
import type { Transport } from "../transports/transport.ts";
import type { Anchors } from "./anchors.ts";
import { isCarried, wrapped } from "./relayed.ts";

/** Leaving a sealed request with an anchor, for the peer to fetch (mesh.md 9.5). Nobody says whether it does. */
export function anchorTransport(ports: MeshPorts, anchors: Anchors): Transport {
  return {
    way: "anchor",

    serves: (peer, { method, path, body }) =>
      anchors.urls().length > 0 &&
      method === "POST" &&
      body !== undefined &&
      isCarried(path) &&
      isAdmissibleKey(peer.agentId),

    async carry(peer, { path, body, timeoutMs, signal }) {
      const sealed = wrapped(ports, peer.agentId, { path, payload: (body ?? {}) as JsonObject });
      if (JSON.stringify(sealed).length > RELAY_BYTES_MAX) {
        return { kind: "failed", error: new Error("too large for an anchor"), left: false };
      }
      const { taken, perhaps, error } = await anchors.leave(
        `message_relay/${peer.agentId}`,
        sealed,
        timeoutMs,
        signal,
      );
      return taken ? { kind: "unconfirmed", way: "anchor" } : { kind: "failed", error, left: perhaps };
    },
  };
}
