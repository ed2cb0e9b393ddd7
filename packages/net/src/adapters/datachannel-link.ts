import type { DataChannel as NativeChannel } from "node-datachannel";
import { netError } from "../errors.ts";
import { CHANNEL_LABEL, type DataChannel, GATHERING_MS, OPENING_MS } from "../web-rtc.ts";
import { type Candidate, candidatesApart, fingerprintIn, hasCandidates } from "../web-rtc-sdp.ts";
import { type ClosableChannel, MESSAGE_BYTES_MAX, wrapChannel } from "./datachannel-channel.ts";

export type Native = typeof import("node-datachannel");

/** A server that said nothing for so long, asked again and again, is not waited for where there is another way. */
const STUN_SILENT_MS = 3000;

/**
 * For our answer to arrive before we look for the offering side, which looks for us as soon as it has the answer. Its
 * library may be the one we use, which takes an answer in two steps: what comes from us in between begins a handshake
 * before there is anything to compare it with, and the channel fails, now and then.
 */
const ANSWER_TRAVELS_MS = 500;

/** One peer connection with its only data channel, from its description to its end. */
export interface Link {
  offer(): Promise<string>;
  accept(answer: string): Promise<DataChannel>;
  /** `channel` is still to open when the description is there. */
  answer(offer: string): Promise<{ readonly sdp: string; readonly channel: Promise<DataChannel> }>;
  /** Any number of times. What was handed over before still leaves, while the native library runs. */
  close(): void;
}

/** @throws CHANNEL_FAILED */
export function createLink(native: Native, stunServers: readonly string[], onEnd: () => void): Link {
  const pc = guarded(
    () =>
      new native.PeerConnection("darkmatter", {
        iceServers: [...stunServers],
        disableAutoNegotiation: true,
        enableIceTcp: false,
        // The handshake may begin before the answer is here, and would fail for want of what to compare with: `own`
        // compares before anybody gets the channel.
        disableFingerprintVerification: true,
        maxMessageSize: MESSAGE_BYTES_MAX,
      }),
  );
  const opened = Promise.withResolvers<DataChannel>();
  // Nobody waits for a link that was given up.
  opened.promise.catch(() => undefined);
  let channel: ClosableChannel | undefined;
  let closing = false;
  let seeking: NodeJS.Timeout | undefined;

  function take(nativeChannel: NativeChannel): void {
    channel = wrapChannel(nativeChannel, { onOpen: opened.resolve, close });
  }

  function close(): void {
    if (closing) return;
    closing = true;
    clearTimeout(seeking);
    opened.reject(netError("CHANNEL_FAILED"));
    channel?.end();
    pc.close();
    onEnd();
  }

  /** Looks for the other side where its offer says it may be, if it has not found us by now. */
  function seek(candidates: readonly Candidate[]): void {
    try {
      for (const { line, mid } of candidates) pc.addRemoteCandidate(line, mid);
    } catch {
      close();
    }
  }

  /** The channel, once it is open and leads to whoever wrote the description. */
  async function own(description: string): Promise<DataChannel> {
    const ready = await opened.promise;
    clearTimeout(seeking);
    const told = fingerprintIn(description.split("\r\n"));
    const { algorithm, value } = guarded(() => pc.remoteFingerprint());
    if (told !== undefined && algorithm === "sha-256" && value.toUpperCase() === told) return ready;
    close();
    throw netError("CHANNEL_FAILED", "Somebody else answered.");
  }

  pc.onStateChange((state) => {
    if (state === "closed" || state === "failed" || state === "disconnected") close();
  });
  pc.onDataChannel((incoming) => {
    if (channel || closing || incoming.getLabel() !== CHANNEL_LABEL) refuse(incoming);
    else take(incoming);
  });

  return {
    async offer() {
      guarded(() => take(pc.createDataChannel(CHANNEL_LABEL)));
      return gather(pc, "offer");
    },
    async accept(answer) {
      guarded(() => pc.setRemoteDescription(answer, "answer"));
      return inTime(own(answer));
    },
    async answer(offer) {
      const { bare, candidates } = candidatesApart(offer);
      guarded(() => pc.setRemoteDescription(bare, "offer"));
      const sdp = await gather(pc, "answer");
      if (!closing) seeking = setTimeout(() => seek(candidates), ANSWER_TRAVELS_MS);
      return { sdp, channel: inTime(own(offer)) };
    },
    close,
  };
}

/** Channels that are not ours, until they are closed. */
const refused = new Set<NativeChannel>();

/**
 * Closes a channel. The native library forgets one only where its end is heard, and at `cleanup` takes hold of all that
 * it has not forgotten, collected or not: that would end the process.
 */
function refuse(incoming: NativeChannel): void {
  refused.add(incoming);
  incoming.onClosed(() => refused.delete(incoming));
  incoming.close();
}

type PeerConnection = InstanceType<Native["PeerConnection"]>;

/** Our description with every candidate in it (mesh.md 10: no trickling). */
async function gather(pc: PeerConnection, type: "offer" | "answer"): Promise<string> {
  const done = Promise.withResolvers<void>();
  const timers = [setTimeout(done.resolve, GATHERING_MS)];
  pc.onLocalCandidate(() => void timers.push(setTimeout(done.resolve, STUN_SILENT_MS)));
  pc.onGatheringStateChange((state) => state === "complete" && done.resolve());
  try {
    guarded(() => pc.setLocalDescription(type));
    await done.promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  const sdp = guarded(() => pc.localDescription()?.sdp) ?? "";
  if (!hasCandidates(sdp)) throw netError("CHANNEL_FAILED", "This machine has no address to offer.");
  return sdp;
}

async function inTime(opened: Promise<DataChannel>): Promise<DataChannel> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(netError("CHANNEL_FAILED", "It took too long.")), OPENING_MS);
  try {
    return await Promise.race([opened, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The native library throws plain errors, about descriptions among others. */
function guarded<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw netError("CHANNEL_FAILED", undefined, error);
  }
}
