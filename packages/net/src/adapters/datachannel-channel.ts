import type { DataChannel as NativeChannel } from "node-datachannel";
import type { DataChannel } from "../web-rtc.ts";

/**
 * The other side is told to send nothing longer. The native library cuts off what is longer all the same, so a frame
 * of just this length may be half of one: it closes the channel.
 */
export const MESSAGE_BYTES_MAX = 65_536;
/** Frames that wait for the first listener; more close the channel. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** Handed over and not gone yet; beyond it `send` takes nothing. */
const BUFFERED_BYTES_MAX = 1024 * 1024;

export interface ClosableChannel {
  /** Says that it is closed, whoever closed it, here and to the other side. */
  end(): void;
}

/** A native channel as the port has it. `close` ends the whole link. */
export function wrapChannel(
  native: NativeChannel,
  { onOpen, close }: { onOpen(channel: DataChannel): void; close(): void },
): ClosableChannel {
  const listeners: ((text: string) => void)[] = [];
  const endings: (() => void)[] = [];
  let kept: string[] = [];
  let keptBytes = 0;
  let ended = false;

  function arrived(text: string): void {
    const bytes = Buffer.byteLength(text);
    const heard = listeners.length > 0;
    if (!heard) keptBytes += bytes;
    if (bytes >= MESSAGE_BYTES_MAX || keptBytes > KEPT_BYTES_MAX) {
      close();
      return;
    }
    if (!heard) kept.push(text);
    for (const listener of listeners) listener(text);
  }

  const isOpen = () => !ended && native.isOpen();
  const channel: DataChannel = {
    get isOpen() {
      return isOpen();
    },
    send(text) {
      if (!isOpen() || native.bufferedAmount() + Buffer.byteLength(text) > BUFFERED_BYTES_MAX) return false;
      return handOver(native, text);
    },
    onMessage(listener) {
      listeners.push(listener);
      const waiting = kept;
      kept = [];
      for (const text of waiting) listener(text);
    },
    onClose(listener) {
      if (ended) listener();
      else endings.push(listener);
    },
    close,
  };

  // Frames are text; whatever else comes is nobody's.
  native.onMessage((message) => !ended && typeof message === "string" && arrived(message));
  native.onClosed(close);
  native.onError(close);
  native.onOpen(() => onOpen(channel));
  if (native.isOpen()) onOpen(channel);

  return {
    end() {
      if (ended) return;
      ended = true;
      kept = [];
      // The end of the connection alone does not always reach the other side.
      native.close();
      for (const listener of endings) listener();
    },
  };
}

/** It throws where a frame is longer than the other side takes, and when the channel closes meanwhile. */
function handOver(native: NativeChannel, text: string): boolean {
  try {
    native.sendMessage(text);
    return true;
  } catch {
    return false;
  }
}
