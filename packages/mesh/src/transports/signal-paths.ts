import { type Clock, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { Connection } from "../connections/connection.ts";
import { OVER } from "../over.ts";
import type { Connectivity } from "./connectivity.ts";
import type { LevelName, Outcome, Transport, Transports } from "./transport.ts";

/** What came of an offer. `absent`: the peer has no channels. `yielded`: its own offer is on the way. */
export type Attempt = "open" | "absent" | "yielded" | "failed";

/** What came of bringing an offer to a peer. */
export type Brought =
  /** An answer, not yet believed. */
  | { readonly kind: "answer"; readonly data: JsonObject }
  /** Nobody was reached this way. */
  | { readonly kind: "nobody" }
  /** The peer itself said no: another way would not change its mind. */
  | { readonly kind: "refused"; readonly attempt: Exclude<Attempt, "open"> };

/** Whether what came back is an answer of the peer's that may be used. */
export type IsAnswer = (data: JsonObject) => Promise<boolean>;

/** A way for offers and answers (mesh.md 10.1). A channel counts by the way it was signalled. */
export interface SignalPath {
  readonly level: LevelName;
  /** Never rejects. */
  bring(peer: Connection, offer: JsonObject, isAnswer: IsAnswer, signal: AbortSignal): Promise<Brought>;
}

/** Somebody who carries an offer to an agent and brings its answer back, as an anchor does. */
export interface SdpRelay {
  isOn(): boolean;
  /** `undefined` when no answer came. */
  exchange(agentId: string, offer: JsonObject, signal: AbortSignal): Promise<JsonObject | undefined>;
}

const NOBODY: Brought = { kind: "nobody" };
/** The other side gathers its candidates for up to 10 s before it answers. */
const DIRECT_MS = 15 * SECOND_MS;
/** For all relays together (mesh.md 10.1). */
const RELAYS_MS = 15 * SECOND_MS;
const RELAYS_AT_ONCE = 5;
/** Relays asked in all: those that do not know the peer say so at once, and the next takes their turn. */
const RELAYS_MAX = 20;

/** `webrtc_offer` at the peer's own URLs. */
export function directPath(http: Transport): SignalPath {
  return {
    level: "direct",
    async bring(peer, offer, _isAnswer, signal) {
      const request = {
        method: "POST",
        path: "webrtc_offer",
        body: offer,
        timeoutMs: DIRECT_MS,
        signal,
      } as const;
      if (!http.serves(peer, request)) return NOBODY;
      return readBrought(await http.carry(peer, request).catch(() => undefined));
    },
  };
}

function readBrought(outcome: Outcome | undefined): Brought {
  if (outcome?.kind !== "answered") return NOBODY;
  const { status, body } = outcome.answer;
  if (status < 400) return { kind: "answer", data: body };
  // Another program may answer at a URL of old: only what such a node says of offers counts as its word.
  if (status === 501) return { kind: "refused", attempt: "absent" };
  if (status === 409) return { kind: "refused", attempt: "yielded" };
  return status === 403 || status === 429 ? { kind: "refused", attempt: "failed" } : NOBODY;
}

/** Offers left with an anchor. */
export function anchorPath(relay: SdpRelay): SignalPath {
  return {
    level: "anchor-relay",
    async bring(peer, offer, isAnswer, signal) {
      if (!relay.isOn()) return NOBODY;
      // What keeps an anchor from answering is its own to report.
      const data = await relay.exchange(peer.agentId, offer, signal).catch(() => undefined);
      return data && (await isAnswer(data)) ? { kind: "answer", data } : NOBODY;
    },
  };
}

export interface PeerRelayPorts {
  readonly clock: Clock;
  readonly self: string;
  readonly transports: Transports;
  readonly connectivity: Connectivity;
  connections(): Promise<readonly Connection[]>;
}

/** Peers of ours that may know the one we want: several at once, and the first answer that is its own counts. */
export function peerRelayPath({
  clock,
  self,
  transports,
  connectivity,
  connections,
}: PeerRelayPorts): SignalPath {
  async function relays(target: Connection): Promise<Connection[]> {
    const heardAt = ({ agentId }: Connection) => connectivity.of(agentId).heardAtMs ?? 0;
    const others = (await connections()).filter(({ agentId }) => agentId !== target.agentId);
    return others.sort((one, other) => heardAt(other) - heardAt(one)).slice(0, RELAYS_MAX);
  }

  return {
    level: "peer-relay",
    async bring(peer, offer, isAnswer, signal) {
      const found = new AbortController();
      const stop = AbortSignal.any([signal, found.signal]);
      const body = { target_agent_id: peer.agentId, offer_data: offer, from_agent_id: self };
      const waiting = await relays(peer);
      let answer: JsonObject | undefined;

      async function ask(relay: Connection): Promise<void> {
        const request = {
          method: "POST",
          path: "sdp_relay",
          body,
          timeoutMs: RELAYS_MS,
          signal: stop,
        } as const;
        const outcome = await transports.call(relay, request).catch(() => undefined);
        if (outcome?.kind !== "answered" || outcome.answer.status >= 400 || answer) return;
        if (!(await isAnswer(outcome.answer.body))) return;
        answer ??= outcome.answer.body;
        found.abort(OVER);
      }
      async function lane(): Promise<void> {
        for (let relay = waiting.shift(); relay && !stop.aborted; relay = waiting.shift()) await ask(relay);
      }

      const timer = clock.sleep(RELAYS_MS, stop).then(
        () => found.abort(OVER),
        () => undefined,
      );
      await Promise.race([timer, Promise.all(Array.from({ length: RELAYS_AT_ONCE }, lane))]);
      found.abort(OVER);
      return answer ? { kind: "answer", data: answer } : NOBODY;
    },
  };
}
