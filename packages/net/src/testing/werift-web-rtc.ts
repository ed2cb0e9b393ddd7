import { type RTCDataChannel, RTCPeerConnection } from "werift";
import { netError } from "../errors.ts";
import { CHANNEL_LABEL, type DataChannel, OPENING_MS, SDP_BYTES_MAX, type WebRtc } from "../web-rtc.ts";

const BUFFERED_BYTES_MAX = 1024 * 1024;

/** A peer connection of werift, which gathers before it tells its description. */
export const weriftConnection = () =>
  new RTCPeerConnection({ iceServers: [], iceUseIpv6: false, maxMessageSize: 65_536 });

/** WebRTC by werift, an implementation that shares no code with ours: the other side in tests. */
export function createWeriftWebRtc(): WebRtc {
  const connections = new Set<RTCPeerConnection>();
  let isClosed = false;

  function open(): RTCPeerConnection {
    if (isClosed) throw netError("CHANNEL_FAILED");
    const pc = weriftConnection();
    connections.add(pc);
    return pc;
  }

  return {
    async offer() {
      const pc = open();
      const channel = pc.createDataChannel(CHANNEL_LABEL);
      await pc.setLocalDescription(await pc.createOffer());
      return {
        sdp: pc.localDescription?.sdp ?? "",
        accept: (sdp) => failing(() => accept(pc, channel, sdp)),
        cancel: () => void pc.close(),
      };
    },
    async answer(sdp) {
      const pc = open();
      const incoming = new Promise<RTCDataChannel>((done) => pc.onDataChannel.once(done));
      return failing(async () => {
        await describe(pc, sdp, "offer");
        await pc.setLocalDescription(await pc.createAnswer());
        const channel = failing(() => opened(pc, incoming));
        channel.catch(() => undefined);
        return { sdp: pc.localDescription?.sdp ?? "", channel, cancel: () => void pc.close() };
      });
    },
    async close() {
      isClosed = true;
      await Promise.all([...connections].map((pc) => pc.close()));
    },
  };
}

async function accept(pc: RTCPeerConnection, channel: RTCDataChannel, sdp: string): Promise<DataChannel> {
  const ready = opened(pc, Promise.resolve(channel));
  ready.catch(() => undefined);
  await describe(pc, sdp, "answer");
  return ready;
}

async function describe(pc: RTCPeerConnection, sdp: string, type: "offer" | "answer"): Promise<void> {
  if (pc.connectionState === "closed") throw new Error("closed");
  if (sdp.length > SDP_BYTES_MAX || !sdp.includes("a=ice-ufrag:")) throw new Error("no description");
  await pc.setRemoteDescription({ sdp, type });
}

async function opened(pc: RTCPeerConnection, coming: Promise<RTCDataChannel>): Promise<DataChannel> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("not in time")), OPENING_MS);
    pc.connectionStateChange.subscribe((state) => state === "closed" && fail(new Error("closed")));
    void coming.then((channel) => {
      const wrapped = wrap(pc, channel);
      const ready = () => {
        clearTimeout(timer);
        done(wrapped);
      };
      if (channel.readyState === "open") ready();
      else channel.stateChanged.subscribe((state) => state === "open" && ready());
    });
  });
}

function wrap(pc: RTCPeerConnection, channel: RTCDataChannel): DataChannel {
  const kept: string[] = [];
  const listeners: ((text: string) => void)[] = [];
  const isOpen = () => channel.readyState === "open" && pc.connectionState !== "closed";
  const ended = new Promise<void>((done) => {
    channel.stateChanged.subscribe((state) => state === "closed" && done());
    pc.connectionStateChange.subscribe((state) => /closed|failed|disconnected/.test(state) && done());
  });
  channel.onMessage.subscribe((message) => {
    if (listeners.length === 0) kept.push(String(message));
    for (const listener of listeners) listener(String(message));
  });
  return {
    get isOpen() {
      return isOpen();
    },
    send(text) {
      if (!isOpen() || channel.bufferedAmount + text.length > BUFFERED_BYTES_MAX) return false;
      channel.send(text);
      return true;
    },
    onMessage(listener) {
      listeners.push(listener);
      for (const text of kept.splice(0)) listener(text);
    },
    onClose: (listener) => void ended.then(listener),
    close: () => void pc.close(),
  };
}

async function failing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw netError("CHANNEL_FAILED", undefined, error);
  }
}
