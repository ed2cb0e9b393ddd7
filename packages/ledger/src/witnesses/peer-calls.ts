import { DarkMatterError, isJsonObject, parseJson } from "@darkmatter/core";
import { baseUrl } from "@darkmatter/net";
import type { LedgerAnswer, LedgerPeer, LedgerPorts } from "../ports.ts";

export type PeerAnswer = LedgerAnswer;

/** POSTs JSON to another node; that it does not answer is an answer too. */
export type PostToPeer = (
  peer: LedgerPeer,
  path: "checkpoint" | "evidence",
  body: object,
  timeoutMs: number,
) => Promise<PeerAnswer>;

const decoder = new TextDecoder();

/** `stop` ends the calls under way. */
export function createPostToPeer(
  { wire, peers }: Pick<LedgerPorts, "wire" | "peers">,
  stop: AbortSignal,
): PostToPeer {
  return async (peer, path, body, timeoutMs) => {
    if (peers.call) return peers.call(peer, { path, body, timeoutMs, signal: stop });
    const request = {
      method: "POST",
      url: `${baseUrl(peer.url)}/__darkmatter__/${path}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      timeoutMs,
      reach: "private",
      signal: stop,
    } as const;
    try {
      const { status, body: bytes } = await wire.request(request);
      const parsed = parseJson(decoder.decode(bytes));
      return { kind: "answered", status, body: isJsonObject(parsed) ? parsed : {} };
    } catch (error) {
      if (error instanceof DarkMatterError) return { kind: "silent", reason: error.code };
      throw error;
    }
  };
}
