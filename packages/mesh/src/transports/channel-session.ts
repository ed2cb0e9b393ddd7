import { type Clock, MINUTE_MS } from "@darkmatter/core";
import { type DataChannel, type Handler, netError } from "@darkmatter/net";
import { OVER } from "../over.ts";
import type { PeerAnswer } from "../peers.ts";
import {
  answerOf,
  answerText,
  type ChannelRequest,
  readRequest,
  requestText,
  serveRequest,
} from "./channel-exchange.ts";
import {
  type Assembly,
  createAssembly,
  FRAME_BYTES_MAX,
  framesOf,
  OPEN_REQUESTS_MAX,
  type Part,
  type PlainFrame,
  plainFrame,
  readFrame,
  WHOLE_WITHIN_MS,
} from "./channel-frames.ts";
import type { LevelName, PeerRequest } from "./transport.ts";

/** How long to wait when a channel takes no more for now. */
const FULL_PAUSE_MS = 20;
/** A peer not heard for so long after a request is asked whether it is there at all. */
const QUIET_MS = 700;
/** How long it has to say so. The way may be far, and a machine busy. */
const ALIVE_WITHIN_MS = 1500;
/** Below `/__darkmatter__/`; no node has it, so that it is answered at once. */
const NOWHERE = "channel";
/** Frames a minute that mean nothing to us, before a peer is taken for a flood. */
const IGNORED_MAX = 1000;
/** The one path of the first generation (mesh.md 10.3). */
const PLAIN_PATH = "/__darkmatter__/message";

/** How a channel came to be. */
export interface ChannelOrigin {
  /** By the way its offer went. */
  readonly level: LevelName;
  /** We offered it by `webrtc_offer`: only then a peer of the first generation reads what we send. */
  readonly plainSend: boolean;
}

export interface SessionPorts {
  readonly clock: Clock;
  /** From where its requests come, as our handler sees them. */
  readonly address: string;
  serving(): Handler | undefined;
  /** The peer broke a rule, and the channel is closed for it. */
  broken(reason: string): void;
}

/** An open channel to a connected agent: our requests and its answers, its requests and our answers. */
export interface ChannelSession {
  readonly origin: ChannelOrigin;
  readonly isOpen: boolean;
  /** Whether one more request of ours may be open. */
  readonly hasRoom: boolean;
  /**
   * Resolves with the answer, of any status. Rejects as `Wire` does: UNREACHABLE when nothing was sent, else TIMEOUT,
   * CONNECTION_LOST, ABORTED; REQUEST_INVALID for what is too long.
   */
  request(request: PeerRequest): Promise<PeerAnswer>;
  /** Sends a frame without an answer; `false` when it did not leave. */
  sendPlain(path: string, payload: object): boolean;
  /** Drops what was begun and never finished. */
  tidy(): void;
  /** Closes once nothing is under way, and soon in any case: what the peer begins holds nothing open. */
  retire(): void;
  close(): void;
  onClose(listener: () => void): void;
}

export function createChannelSession(
  channel: DataChannel,
  origin: ChannelOrigin,
  { clock, address, serving, broken }: SessionPorts,
): ChannelSession {
  const requests: Assembly = createAssembly(() => clock.monotonic());
  const answers: Assembly = createAssembly(() => clock.monotonic());
  const waiting = new Map<string, PromiseWithResolvers<PeerAnswer>>();
  const serves = new Set<string>();
  const closed = new AbortController();
  let plainServed = 0;
  let count = 0;
  let retiring = false;
  let heardAtMs = Number.NEGATIVE_INFINITY;
  let ignored = { sinceMs: clock.monotonic(), count: 0 };

  channel.onClose(() => {
    closed.abort(netError("CONNECTION_LOST"));
    for (const { reject } of waiting.values()) reject(netError("CONNECTION_LOST"));
  });
  channel.onMessage(hear);

  function refuse(reason: string): void {
    if (!channel.isOpen) return;
    broken(reason);
    channel.close();
  }

  function ignore(): void {
    const nowMs = clock.monotonic();
    if (nowMs - ignored.sinceMs > MINUTE_MS) ignored = { sinceMs: nowMs, count: 0 };
    if (++ignored.count > IGNORED_MAX) refuse("flood");
  }

  function hear(text: string): void {
    if (!channel.isOpen) return;
    heardAtMs = clock.monotonic();
    const frame = readFrame(text);
    if (!frame) refuse("frame");
    else if (frame.kind === "plain") hearPlain(frame);
    else if (frame.answer) hearAnswer(frame);
    else hearRequest(frame);
  }

  function hearPlain({ path, payload }: PlainFrame): void {
    // As many at once as may wait for answers: more are lost, which this generation's senders count on.
    if (path !== PLAIN_PATH || plainServed >= OPEN_REQUESTS_MAX) {
      ignore();
      return;
    }
    plainServed++;
    const request = { method: "POST", path, query: "", body: payload } as const;
    void serveRequest(serving(), request, address, closed.signal).finally(() => {
      plainServed--;
    });
  }

  function hearAnswer(part: Part): void {
    const waits = waiting.get(part.id);
    if (!waits) {
      // What comes too late was asked for once.
      ignore();
      return;
    }
    const joined = answers.add(part);
    if (joined === "unfinished") return;
    const answer = joined === "broken" ? undefined : answerOf(joined.text);
    if (answer) waits.resolve(answer);
    else refuse("answer");
  }

  function hearRequest(part: Part): void {
    const joined = serves.has(part.id) ? "broken" : requests.add(part);
    const open = requests.size + serves.size + (typeof joined === "object" ? 1 : 0);
    if (joined === "broken" || open > OPEN_REQUESTS_MAX) refuse("request parts");
    else if (joined !== "unfinished") hearWhole(part.id, joined.text);
  }

  function hearWhole(id: string, text: string): void {
    const request = readRequest(text);
    if (request) void serve(id, request);
    else refuse("request");
  }

  async function serve(id: string, request: ChannelRequest): Promise<void> {
    serves.add(id);
    try {
      const answer = await serveRequest(serving(), request, address, closed.signal);
      await send(framesOf(id, answerText(answer), true) ?? [], closed.signal);
    } finally {
      serves.delete(id);
      leaveIfDone();
    }
  }

  /** Whether all frames left; how many did is the caller's to know from `sent`. */
  async function send(frames: readonly string[], stop: AbortSignal, sent?: () => void): Promise<boolean> {
    for (const frame of frames) {
      while (!channel.send(frame)) {
        if (!channel.isOpen || stop.aborted) return false;
        await clock.sleep(FULL_PAUSE_MS, stop).catch(() => undefined);
      }
      sent?.();
    }
    return true;
  }

  function leaveIfDone(): void {
    if (retiring && waiting.size + serves.size + requests.size === 0) channel.close();
  }

  /** A way that is gone stays open for half a minute by its own account: nobody is to wait for that. */
  async function closeIfDead(sinceMs: number, over: AbortSignal): Promise<void> {
    const isQuiet = (afterMs: number) =>
      clock.sleep(afterMs, over).then(
        () => heardAtMs < sinceMs,
        () => false,
      );
    if (!(await isQuiet(QUIET_MS))) return;
    const text = requestText({ method: "GET", path: NOWHERE, timeoutMs: 0 });
    await send(framesOf(`${++count}`, text, false) ?? [], over);
    if (await isQuiet(ALIVE_WITHIN_MS)) channel.close();
  }

  async function exchange(id: string, frames: readonly string[], request: PeerRequest): Promise<PeerAnswer> {
    const waits = Promise.withResolvers<PeerAnswer>();
    waits.promise.catch(() => undefined);
    const over = new AbortController();
    let left = false;
    waiting.set(id, waits);
    clock.sleep(request.timeoutMs, over.signal).then(
      () => waits.reject(netError(left ? "TIMEOUT" : "UNREACHABLE")),
      () => undefined,
    );
    void closeIfDead(clock.monotonic(), over.signal);
    const giveUp = () => waits.reject(netError("ABORTED"));
    if (request.signal?.aborted) giveUp();
    request.signal?.addEventListener("abort", giveUp, { signal: over.signal });
    try {
      const all = await Promise.race([
        waits.promise,
        send(frames, over.signal, () => {
          left = true;
        }),
      ]);
      if (all === false) throw netError(left ? "CONNECTION_LOST" : "UNREACHABLE");
      return await waits.promise;
    } finally {
      over.abort(OVER);
      waiting.delete(id);
      answers.drop(id);
      leaveIfDone();
    }
  }

  return {
    origin,
    get isOpen() {
      return channel.isOpen;
    },
    get hasRoom() {
      return channel.isOpen && waiting.size < OPEN_REQUESTS_MAX;
    },

    async request(request) {
      if (!channel.isOpen) throw netError("UNREACHABLE");
      const id = `${++count}`;
      const frames = framesOf(id, requestText(request), false);
      if (!frames) throw netError("REQUEST_INVALID");
      return exchange(id, frames, request);
    },

    sendPlain(path, payload) {
      const frame = plainFrame(path, payload);
      return new TextEncoder().encode(frame).length <= FRAME_BYTES_MAX && channel.send(frame);
    },

    tidy() {
      requests.dropOld(clock.monotonic());
      answers.dropOld(clock.monotonic());
      leaveIfDone();
    },

    retire() {
      retiring = true;
      leaveIfDone();
      clock.sleep(WHOLE_WITHIN_MS, closed.signal).then(
        () => channel.close(),
        () => undefined,
      );
    },

    close: () => channel.close(),
    onClose: (listener) => channel.onClose(listener),
  };
}
