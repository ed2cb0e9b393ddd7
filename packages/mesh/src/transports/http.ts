import { hasCode } from "@darkmatter/core";
import { type Connection, endpoint } from "../connections/connection.ts";
import { mayHaveArrived, type Peers } from "../peers.ts";
import type { Outcome, Transport } from "./transport.ts";

/** The places where a peer may be reached, best first. */
export type UrlsOf = (peer: Connection) => readonly string[];

/** An agent answered at one of its places. */
export type Worked = (agentId: string, url: string) => void;

/** Plain requests to where the peer says it is (mesh.md 9.4). */
export function httpTransport(peers: Peers, urlsOf: UrlsOf, worked: Worked): Transport {
  return {
    way: "http",
    serves: (peer) => urlsOf(peer).length > 0,

    async carry(peer, { method, path, body, timeoutMs, signal }) {
      let failure: Outcome = { kind: "failed", error: undefined, left: false };
      for (const base of urlsOf(peer)) {
        const call = { url: endpoint(base, path), timeoutMs, reach: "private" as const, signal };
        try {
          const answer = await (method === "GET" ? peers.get(call) : peers.post(call, body ?? {}));
          worked(peer.agentId, base);
          return {
            kind: "answered",
            way: "http",
            answer,
            repeated: failure.kind === "failed" && failure.left,
          };
        } catch (error) {
          if (hasCode(error, "ABORTED")) throw error;
          const left = mayHaveArrived(error);
          failure = { kind: "failed", error, left: left || failure.left };
        }
      }
      return failure;
    },
  };
}
