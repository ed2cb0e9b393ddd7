import { reasonOf, systemClock } from "@darkmatter/core";
import { netError } from "../errors.ts";
import type { Answering, DataChannel, Offering, WebRtc } from "../web-rtc.ts";
import { cleanDescription } from "../web-rtc-sdp.ts";
import { createLink, type Link, type Native } from "./datachannel-link.ts";

interface WebRtcOptions {
  /** `stun:host:port`; none asks nobody, and offers the addresses this machine knows of. */
  readonly stunServers: readonly string[];
  /** Told once why there is no WebRTC here. Says nothing of peers. */
  readonly report?: (event: string, context: Readonly<Record<string, string | number>>) => void;
}

/** Open or opening at once; more are refused. */
const LINKS_MAX = 256;
/** An offer nobody answered is given up: longer than any way of signalling takes. */
const UNANSWERED_MS = 60_000;
/** For the last frames to leave before the native threads end. */
const LEAVING_MS = 50;

/** Of this process: the native library's threads are shared, and end with the last that uses them. */
let users = 0;

/**
 * WebRTC by the optional package `node-datachannel`, which is loaded now; `undefined` where it, or its binary for
 * this platform, is not installed. `close` it: its threads keep the process otherwise.
 */
export async function createWebRtc(options: WebRtcOptions): Promise<WebRtc | undefined> {
  const native = await load(options);
  if (!native) return undefined;
  const links = new Set<Link>();
  const closed = { yet: false };
  users++;

  function open(): Link {
    if (closed.yet) throw netError("CHANNEL_FAILED", "This node is stopping.");
    if (links.size >= LINKS_MAX) throw netError("CHANNEL_FAILED", "Too many channels are open.");
    const link = createLink(native as Native, options.stunServers, () => links.delete(link));
    links.add(link);
    return link;
  }

  return {
    async offer() {
      return offered(open());
    },
    async answer(offerSdp) {
      const description = described(offerSdp);
      return answered(open(), description);
    },
    async close() {
      if (closed.yet) return;
      closed.yet = true;
      for (const link of links) link.close();
      await systemClock.sleep(LEAVING_MS);
      if (--users === 0) native.cleanup();
    },
  };
}

async function load({ report }: WebRtcOptions): Promise<Native | undefined> {
  try {
    return await import("node-datachannel");
  } catch (error) {
    report?.("webrtc.unavailable", { reason: reasonOf(error) });
    return undefined;
  }
}

async function offered(link: Link): Promise<Offering> {
  const sdp = await orClosed(link, () => link.offer());
  const unanswered = setTimeout(() => link.close(), UNANSWERED_MS);
  unanswered.unref();
  return {
    sdp,
    accept(answerSdp) {
      clearTimeout(unanswered);
      return orClosed(link, (): Promise<DataChannel> => link.accept(described(answerSdp)));
    },
    cancel: () => link.close(),
  };
}

async function answered(link: Link, description: string): Promise<Answering> {
  const { sdp, channel } = await orClosed(link, () => link.answer(description));
  return { sdp, channel: orClosed(link, () => channel), cancel: () => link.close() };
}

function described(sdp: string): string {
  const description = cleanDescription(sdp);
  if (description === undefined)
    throw netError("CHANNEL_FAILED", "The other side's description is of no use.");
  return description;
}

/** What a step on a link brings; one that fails ends the link. */
function orClosed<T>(link: Link, step: () => Promise<T>): Promise<T> {
  const outcome = Promise.resolve()
    .then(step)
    .catch((error: unknown) => {
      link.close();
      throw error;
    });
  // Whoever gave up does not wait for it any more.
  outcome.catch(() => undefined);
  return outcome;
}
