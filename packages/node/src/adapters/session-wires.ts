import type { Duplex, Readable, Writable } from "node:stream";
import { createLineCutter } from "../lines.ts";
import type { Pump } from "../pump.ts";

/** Unanswered requests of one client; past it nothing more is read until some are answered. */
export const PENDING_MAX = 1000;

/** Moves lines between a client's two streams and whichever owner there is just now. */
export interface SessionWires {
  /** Connects an owner and sends it what it must know; resolves once it is gone. */
  attach(owner: Duplex): Promise<void>;
  /** Lets go of the owner there is. */
  detach(): void;
  /** Tells the client something of our own. */
  tell(lines: readonly string[]): void;
  readonly attached: boolean;
  /** Counts what owners have said: unchanged means silent. */
  readonly heard: number;
}

export interface WirePorts {
  readonly input: Readable;
  readonly output: Writable;
  readonly pump: Pump;
  /** A line came from the client, or the client ended. */
  changed(): void;
  /** The client cannot be served any more: its stream broke, or it sent what is no line. */
  broken(reason: string): void;
}

export function createSessionWires({ input, output, pump, changed, broken }: WirePorts): SessionWires {
  let owner: Duplex | undefined;
  let heard = 0;

  /** Reads from each side only as fast as the other takes it. */
  const regulate = () => {
    const held = pump.pending >= PENDING_MAX || owner?.writableNeedDrain === true;
    if (held) input.pause();
    else input.resume();
    if (output.writableNeedDrain) owner?.pause();
    else owner?.resume();
  };
  const tell = (lines: readonly string[]) => {
    if (output.writable && lines.length > 0) output.write(`${lines.join("\n")}\n`);
  };

  const fromClient = createLineCutter();
  input.setEncoding("utf8");
  input.on("data", (text: string) => {
    try {
      for (const line of fromClient.push(text)) {
        const sent = pump.fromClient(line);
        changed();
        owner?.write(`${sent}\n`);
      }
    } catch (error) {
      broken((error as Error).message);
    }
    regulate();
  });
  input.on("end", changed).on("error", (error) => broken(error.message));
  output.on("drain", regulate).on("error", (error) => broken(error.message));

  return {
    attach(stream) {
      owner = stream;
      const fromServer = createLineCutter();
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        if (owner !== stream) return;
        heard++;
        try {
          tell(fromServer.push(text).flatMap((line) => pump.fromServer(line) ?? []));
        } catch {
          // An owner that sends a line without end is as good as gone.
          stream.destroy();
        }
        changed();
        regulate();
      });
      stream.on("drain", regulate);
      for (const line of pump.replay()) stream.write(`${line}\n`);
      regulate();
      return new Promise((resolve) => {
        const gone = () => {
          if (owner === stream) owner = undefined;
          stream.destroy();
          regulate();
          resolve();
        };
        stream.on("end", gone).on("close", gone).on("error", gone);
      });
    },
    detach() {
      // At once, and not when it has closed: the next line must not go to it.
      const released = owner;
      owner = undefined;
      released?.destroy();
    },
    tell,
    get attached() {
      return owner !== undefined;
    },
    get heard() {
      return heard;
    },
  };
}
