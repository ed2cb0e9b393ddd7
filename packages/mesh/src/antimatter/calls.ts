import type { JsonObject } from "@darkmatter/core";
import type { Connection } from "../connections/connection.ts";
import { type PeerAnswer, TIMEOUT_MS } from "../peers.ts";
import type { Transports } from "../transports/transport.ts";

export type AntimatterPath = "match" | "signal";

/**
 * Asks a peer at its AntiMatter routes, at their old names where it does not know the new ones (mesh.md 5.5).
 * `undefined` when no answer came.
 */
export async function askPeer(
  transports: Transports,
  peer: Connection,
  path: AntimatterPath,
  body: JsonObject,
): Promise<PeerAnswer | undefined> {
  const answer = await call(`antimatter_${path}`);
  return answer?.status === 404 ? call(`gas_${path}`) : answer;

  async function call(name: string): Promise<PeerAnswer | undefined> {
    const request = { method: "POST" as const, path: name, body, timeoutMs: TIMEOUT_MS.post };
    const outcome = await transports.call(peer, request);
    return outcome.kind === "answered" ? outcome.answer : undefined;
  }
}
