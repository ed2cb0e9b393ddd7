import type { JsonObject } from "@darkmatter/core";
import { type Signer, sdpText, signText } from "@darkmatter/identity";
import type { DataChannel, WebRtc } from "@darkmatter/net";
import type { MemoryHost } from "@darkmatter/net/testing";
import type { MemoryNetwork, TestNode } from "./memory-network.ts";
import { type Stranger, stranger } from "./stranger.ts";

/** An agent that is no node of ours, on a machine of its own, able to open channels and to say anything on them. */
export interface ChannelStranger extends Stranger {
  readonly host: MemoryHost;
  readonly webRtc: WebRtc;
  /** Connects to a node, announcing extensions: `channel/1` unless told otherwise. */
  connectTo(node: TestNode, features?: readonly string[]): Promise<void>;
  /** A description signed as it should be, and with whatever is given instead. */
  description(sdp: string, fields?: JsonObject): JsonObject;
  /** Opens a channel by an offer to the node. */
  open(node: TestNode): Promise<OpenChannel>;
}

/** The stranger's end of a channel. */
export interface OpenChannel {
  readonly channel: DataChannel;
  /** Frames it heard. */
  readonly heard: JsonObject[];
  send(frame: object | string): void;
}

/** `seed` tells strangers apart. */
export function channelStranger(
  net: Pick<MemoryNetwork<never>, "clock" | "internet" | "channels">,
  seed: number,
): ChannelStranger {
  const address = `192.168.7.${seed}`;
  const host = net.internet.host({ address });
  if (!net.channels) throw new Error("this network has no channels");
  const webRtc = net.channels.on(host);
  const base = stranger(net.clock, host, { port: 9000, seed, url: `http://${address}:9000` });
  const post: Stranger["post"] = (node, path, body) => base.post(node, path, body, address);
  const description = (sdp: string, fields: JsonObject = {}) => ({
    ...signedOffer(base.signer, sdp),
    ...fields,
  });

  return {
    ...base,
    host,
    webRtc,
    post,
    description,

    async connectTo(node, features = ["channel/1"]) {
      const answer = await post(node, "connection_request", base.request({ features: [...features] }));
      if (answer.status !== 200) throw new Error(answer.text);
    },

    async open(node) {
      const offering = await webRtc.offer();
      const answer = await post(node, "webrtc_offer", description(offering.sdp));
      if (answer.status !== 200) throw new Error(answer.text);
      return listen(await offering.accept(String((answer.json as JsonObject).sdp)));
    },
  };
}

export function signedOffer(signer: Signer, sdp: string): JsonObject {
  const { agentId } = signer;
  const sdp_signature_hex = signText(signer, sdpText({ agentId, sdp }));
  return { from_agent_id: agentId, sdp_offer: sdp, sdp_signature_hex, public_key_hex: agentId };
}

export function listen(channel: DataChannel): OpenChannel {
  const heard: JsonObject[] = [];
  channel.onMessage((text) => void heard.push(JSON.parse(text) as JsonObject));
  return {
    channel,
    heard,
    send: (frame) => void channel.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
  };
}
