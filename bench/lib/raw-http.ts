import { connect, type Socket } from "node:net";

/** One answer or request as it came over a socket. */
export interface Part {
  /** The first line: `HTTP/1.1 200 OK`, `POST /path HTTP/1.1`. */
  readonly start: string;
  readonly body: string;
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;

/**
 * Cuts what comes over a socket into messages with `Content-Length`: all a measurement needs of HTTP, at a tenth of
 * the price of a client library, which would be paid by the processors that are being measured.
 */
export function createCutter(take: (part: Part) => void): (text: string) => void {
  let held = "";
  return (text) => {
    held = held === "" ? text : held + text;
    for (;;) {
      const head = held.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(LENGTH.exec(held.slice(0, head))?.[1] ?? 0);
      const end = head + 4 + length;
      if (held.length < end) return;
      const part = { start: held.slice(0, held.indexOf("\r\n")), body: held.slice(head + 4, end) };
      held = held.slice(end);
      take(part);
    }
  };
}

/** A connection that is kept and carries one request at a time. */
export interface Lane {
  /** Sends bytes of a whole request; `answered` is called once, with the status. */
  send(request: Buffer, answered: (status: number, body: string) => void): void;
  close(): void;
}

export function openLane(url: string, broken: (error: Error) => void): Lane {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let waiting: ((status: number, body: string) => void) | undefined;
  const cut = createCutter(({ start, body }) => {
    const answered = waiting;
    waiting = undefined;
    answered?.(Number(start.slice(9, 12)), body);
  });
  // One character a byte, so that lengths in characters are lengths in bytes.
  socket.setEncoding("latin1");
  socket.on("data", cut);
  socket.on("error", broken);
  socket.on("close", () => {
    if (waiting) broken(new Error("The server closed a connection under a request."));
  });
  return {
    send(request, answered) {
      waiting = answered;
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
}

/** The bytes of a POST. */
export function postBytes(
  url: string,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const { host } = new URL(url);
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n${more.join("")}`;
  return Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
