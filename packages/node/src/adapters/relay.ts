import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { nodeError } from "../errors.ts";
import { type Hello, isNewer, parseHello, RELAY_PROTOCOL, type Welcome } from "../handshake.ts";
import { firstLine } from "./first-line.ts";
import { prepareSocketFolder } from "./socket-place.ts";

/** More windows on one agent than anybody opens; past it a session is refused rather than the owner slowed. */
export const SESSIONS_MAX = 128;
/** How long a session may take to say hello. */
const HELLO_MS = 5000;

export interface RelayPorts {
  readonly socket: string;
  readonly version: string;
  /** Serves MCP to one session over a stream until the stream ends. */
  serve(stream: Duplex, hello: Hello, isHelper: boolean): void;
  /** Whether a process is a helper, or was started by one. Absent where there are none. */
  readonly isHelper?: ((pid: number) => Promise<boolean>) | undefined;
  /** A newer program wants to be the owner: stop cleanly. */
  handOver(to: Hello): void;
}

export interface Relay {
  readonly sessions: number;
  /** Lets go of every session at once, so that they look for another owner, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens for the other sessions of this agent. Only the holder of the lock may call it: what lies at the socket's
 * path was left by a dead owner, and is removed.
 */
export async function listenRelay(ports: RelayPorts): Promise<Relay> {
  const unsafe = prepareSocketFolder(ports.socket);
  if (unsafe) throw nodeError(unsafe);
  rmSync(ports.socket, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // A session that dies mid-line is its own affair; without a listener it would take the owner with it.
    socket.on("error", () => socket.destroy());
    void welcome(socket, ports);
  });
  server.maxConnections = SESSIONS_MAX;
  await listening(server, ports.socket);
  if (process.platform !== "win32") chmodSync(ports.socket, 0o600);
  return {
    get sessions() {
      return open.size;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
      rmSync(ports.socket, { force: true });
    },
  };
}

async function welcome(socket: Socket, ports: RelayPorts): Promise<void> {
  const hello = parseHello((await firstLine(socket, HELLO_MS)) ?? "");
  if (hello === undefined) return void socket.destroy();
  const isHelper = (await ports.isHelper?.(hello.pid)) ?? false;
  // A helper never owns: whether it shows its token or not.
  const mayOwn = hello.role === "session" && hello.delegate === undefined && !isHelper;
  const handingOver = mayOwn && isNewer(hello.version, ports.version);
  const answer: Welcome = {
    darkmatter: RELAY_PROTOCOL,
    version: ports.version,
    pid: process.pid,
    handingOver,
  };
  const line = `${JSON.stringify(answer)}\n`;
  if (handingOver || hello.role === "probe") {
    socket.end(line, () => handingOver && ports.handOver(hello));
    return;
  }
  socket.write(line);
  ports.serve(socket, hello, isHelper);
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
