import { hasCode } from "@darkmatter/core";
import { speaks } from "../connections/connection.ts";
import { mayHaveArrived } from "../peers.ts";
import type { Channels } from "./channels.ts";
import type { Transport } from "./transport.ts";

/** Requests with answers, over an open channel to a peer that speaks `channel/1`. */
export function channelWay(channels: Channels): Transport {
  return {
    way: "webrtc",
    serves: (peer) => speaks(peer, "channel/1") && channels.to(peer.agentId)?.hasRoom === true,

    async carry(peer, request) {
      const session = channels.to(peer.agentId);
      if (!session) return { kind: "failed", error: undefined, left: false };
      try {
        return { kind: "answered", way: "webrtc", answer: await session.request(request), repeated: false };
      } catch (error) {
        if (hasCode(error, "ABORTED")) throw error;
        return { kind: "failed", error, left: mayHaveArrived(error) };
      }
    },
  };
}

/** Messages to a peer of the first generation, which answers nothing: a webhook tells whether they arrived. */
export function plainFrameWay(channels: Channels): Transport {
  return {
    way: "webrtc",

    serves(peer, { method, path }) {
      const session = channels.to(peer.agentId);
      const takes = session?.isOpen === true && session.origin.plainSend && !speaks(peer, "channel/1");
      return takes && method === "POST" && path === "message";
    },

    async carry(peer, { path, body }) {
      const sent = channels.to(peer.agentId)?.sendPlain(`/__darkmatter__/${path}`, body ?? {}) === true;
      return sent
        ? { kind: "unconfirmed", way: "webrtc" }
        : { kind: "failed", error: undefined, left: false };
    },
  };
}
