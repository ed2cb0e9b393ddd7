import type { Connection } from "../connections/connection.ts";
import type { PeerAnswer } from "../peers.ts";

/** How a request travels to a connected agent, best first (mesh.md 9.4). */
export type Way = "webrtc" | "http" | "anchor";

/** mesh.md 9.2: how a peer is reached at present. A channel counts by the way it was signalled. */
export const LEVELS = [
  "unknown",
  "direct",
  "lan-webrtc",
  "peer-relay",
  "anchor-relay",
  "anchor-msg-relay",
] as const;
export type LevelName = (typeof LEVELS)[number];

/** A request to the mesh endpoints of a connected agent. */
export interface PeerRequest {
  readonly method: "GET" | "POST";
  /** Below `/__darkmatter__/`: `message`, `webhook/msg-0123456789ab`. */
  readonly path: string;
  /** The same bytes on every way, so that an attempt that arrived after all is known as the same one. */
  readonly body?: object;
  /** For each way that is tried. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What became of a request. Never thrown, but for ABORTED. */
export type Outcome =
  /** The peer's own answer, of any status. `repeated`: an earlier attempt on another way may have arrived too. */
  | { readonly kind: "answered"; readonly way: Way; readonly answer: PeerAnswer; readonly repeated: boolean }
  /** It lies with a relay, or left by a channel that carries no answers: whether it arrived is said by a webhook. */
  | { readonly kind: "unconfirmed"; readonly way: Way }
  /** No way worked. `left`: bytes may have reached the peer all the same. */
  | { readonly kind: "failed"; readonly error: unknown; readonly left: boolean };

/** One way to connected agents. */
export interface Transport {
  readonly way: Way;
  /** Whether it is worth a try for this request now. */
  serves(peer: Connection, request: PeerRequest): boolean;
  /** Never throws, but for ABORTED. */
  carry(peer: Connection, request: PeerRequest): Promise<Outcome>;
}

/** Bringing requests to connected agents by whatever way works. */
export interface Transports {
  /** Tries the ways in order until one is answered or takes the request. */
  call(peer: Connection, request: PeerRequest): Promise<Outcome>;
}
