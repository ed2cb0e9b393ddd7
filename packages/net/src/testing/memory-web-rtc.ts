import { type Clock, SECOND_MS } from "@darkmatter/core";
import { netError } from "../errors.ts";
import { type Answering, type DataChannel, OPENING_MS, SDP_BYTES_MAX, type WebRtc } from "../web-rtc.ts";
import type { MemoryHost } from "./memory-internet.ts";

export interface MemoryWebRtcOptions {
  readonly clock: Clock;
  /** Whether datagrams find a way between two machines that both try, as things are now: `MemoryInternet.reaches`. */
  reaches(one: MemoryHost, other: MemoryHost): boolean;
  /** Milliseconds a frame takes; asked for each. Default 0. */
  delayMs?(from: MemoryHost, to: MemoryHost): number;
}

/** Channels without sockets, between machines of one memory internet. */
export interface MemoryWebRtc {
  /** The port of one machine; a node that starts again there gets a new one. */
  on(host: MemoryHost): WebRtc;
}

/** How often a side looks whether the other is still there, as ICE does. */
const CONSENT_MS = 5 * SECOND_MS;
/** Frames kept for a channel nobody listens to yet. */
const UNHEARD_MAX = 256;

interface End {
  readonly host: MemoryHost;
  readonly ends: Set<Side>;
}

interface Pending extends End {
  readonly token: string;
}

interface PendingAnswer extends Pending {
  readonly offer: string;
  readonly opened: PromiseWithResolvers<DataChannel>;
  isOver: boolean;
}

/** A description holds nothing but an opaque token behind the lines every description has. */
const SDP_HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\na=ice-ufrag:";
const tokenOf = (sdp: string): string | undefined =>
  sdp.startsWith(SDP_HEAD) && sdp.length <= SDP_BYTES_MAX ? sdp.slice(SDP_HEAD.length).trim() : undefined;
const sdpOf = (token: string): string => `${SDP_HEAD}${token}\r\n`;

export function memoryWebRtc(options: MemoryWebRtcOptions): MemoryWebRtc {
  const { clock, reaches, delayMs = () => 0 } = options;
  const offers = new Map<string, Pending>();
  const answers = new Map<string, PendingAnswer>();
  let count = 0;

  /** Opens when both sides get through to each other, before it is too late. */
  async function open(offering: Pending, answering: PendingAnswer): Promise<DataChannel> {
    const [one, other] = [offering.host, answering.host];
    if (!reaches(one, other)) {
      await clock.sleep(OPENING_MS);
      throw netError("CHANNEL_FAILED");
    }
    await passing(clock, 2 * (delayMs(one, other) + delayMs(other, one)));
    if (answering.isOver) throw netError("CHANNEL_FAILED");
    answering.isOver = true;
    const [near, far] = join({ clock, reaches, delayMs }, offering, answering);
    answering.opened.resolve(far);
    return near;
  }

  function on(host: MemoryHost): WebRtc {
    const ends = new Set<Side>();
    const tokenFor = (kind: string) => `${kind}-${++count}`;

    async function answer(offerSdp: string): Promise<Answering> {
      await clock.turn();
      const offer = tokenOf(offerSdp);
      if (offer === undefined || !offers.has(offer)) throw netError("CHANNEL_FAILED");
      const opened = Promise.withResolvers<DataChannel>();
      // Whoever asked may have stopped listening by the time it fails.
      opened.promise.catch(() => undefined);
      const token = tokenFor("answer");
      const answering: PendingAnswer = { token, host, ends, offer, opened, isOver: false };
      answers.set(token, answering);
      const giveUp = () => {
        answers.delete(token);
        answering.isOver = true;
        opened.reject(netError("CHANNEL_FAILED"));
      };
      void clock.sleep(OPENING_MS).then(giveUp);
      return { sdp: sdpOf(token), channel: opened.promise, cancel: giveUp };
    }

    return {
      async offer() {
        await clock.turn();
        const token = tokenFor("offer");
        const offering = { token, host, ends };
        offers.set(token, offering);
        return {
          sdp: sdpOf(token),
          async accept(answerSdp) {
            const answering = answers.get(tokenOf(answerSdp) ?? "");
            if (answering?.offer !== token || !offers.delete(token)) throw netError("CHANNEL_FAILED");
            answers.delete(answering.token);
            return open(offering, answering);
          },
          cancel: () => void offers.delete(token),
        };
      },
      answer,
      async close() {
        for (const side of [...ends]) side.close();
      },
    };
  }

  return { on };
}

/** Never in the caller's own turn: no network answers within it. */
const passing = (clock: Clock, forMs: number) => (forMs > 0 ? clock.sleep(forMs) : clock.turn());

/** One end of a channel. */
class Side implements DataChannel {
  isOpen = true;
  other: Side | undefined;
  readonly #deliver: (text: string) => boolean;
  #listener: ((text: string) => void) | undefined;
  #closed: (() => void)[] = [];
  #unheard: string[] = [];

  constructor(deliver: (text: string) => boolean) {
    this.#deliver = deliver;
  }

  send(text: string): boolean {
    return this.isOpen && this.#deliver(text);
  }

  heard(text: string): void {
    if (!this.isOpen) return;
    if (this.#listener) this.#listener(text);
    else if (this.#unheard.push(text) > UNHEARD_MAX) this.close();
  }

  onMessage(listener: (text: string) => void): void {
    this.#listener = listener;
    for (const text of this.#unheard.splice(0)) listener(text);
  }

  onClose(listener: () => void): void {
    if (this.isOpen) this.#closed.push(listener);
    else listener();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const listener of this.#closed.splice(0)) listener();
    this.other?.close();
  }
}

/** The two ends of an open channel. Frames arrive in order; those sent into a dead way are lost, and soon it closes. */
function join(
  { clock, reaches, delayMs }: Required<MemoryWebRtcOptions>,
  offering: End,
  answering: End,
): [Side, Side] {
  const addresses = [offering.host.address, answering.host.address];

  function carry(from: End, to: End, heard: (text: string) => void): (text: string) => boolean {
    let lastAtMs = 0;
    return (text) => {
      if (!reaches(from.host, to.host)) return true;
      lastAtMs = Math.max(lastAtMs, clock.monotonic() + delayMs(from.host, to.host));
      void passing(clock, lastAtMs - clock.monotonic()).then(() => heard(text));
      return true;
    };
  }

  const near: Side = new Side(carry(offering, answering, (text) => far.heard(text)));
  const far: Side = new Side(carry(answering, offering, (text) => near.heard(text)));
  near.other = far;
  far.other = near;

  // As in life: a pair of addresses that is no longer theirs carries nothing.
  const alive = () =>
    reaches(offering.host, answering.host) &&
    offering.host.address === addresses[0] &&
    answering.host.address === addresses[1];
  const consent = clock.every(
    CONSENT_MS,
    () => void (alive() || near.close()),
    () => near.close(),
  );
  for (const [side, { ends }] of [[near, offering] as const, [far, answering] as const]) {
    ends.add(side);
    side.onClose(() => void ends.delete(side));
  }
  near.onClose(() => consent[Symbol.dispose]());
  return [near, far];
}
