import type { Socket } from "node:net";
import { HANDSHAKE_LENGTH_MAX } from "../handshake.ts";

/**
 * The first line that comes over a socket; what came after it is put back. `undefined` when the other end closes,
 * says nothing in time, or says something too long for a handshake.
 *
 * @NOTE Reads by `readable`, which leaves the socket neither flowing nor paused: whoever listens for `data` next
 * gets all that follows, whenever it begins to.
 */
export function firstLine(socket: Socket, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    const settle = (line: string | undefined) => {
      clearTimeout(timer);
      socket.off("readable", take).off("close", gone).off("end", gone);
      resolve(line);
    };
    const gone = () => settle(undefined);
    const take = () => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        got = Buffer.concat([got, chunk]);
        const end = got.indexOf(0x0a);
        if (end === -1 && got.length <= HANDSHAKE_LENGTH_MAX) continue;
        if (end === -1) return gone();
        if (end + 1 < got.length) socket.unshift(got.subarray(end + 1));
        return settle(got.subarray(0, end).toString("utf8"));
      }
    };
    const timer = setTimeout(gone, timeoutMs);
    socket.on("readable", take).on("close", gone).on("end", gone);
  });
}
