import { createConnection, type Socket } from "node:net";
import { type Hello, parseWelcome, type Welcome } from "../handshake.ts";
import { firstLine } from "./first-line.ts";

export type Link =
  | { readonly kind: "attached"; readonly socket: Socket; readonly owner: Welcome }
  /** The owner is an older program and stops now. */
  | { readonly kind: "handing-over" }
  /** Nobody listens there. */
  | { readonly kind: "nobody" }
  /** Somebody listens, and says nothing, or nothing we understand. */
  | { readonly kind: "silent" };

/** Says hello to the owner that listens on a socket. Never rejects. */
export async function linkToOwner(path: string, hello: Hello, timeoutMs: number): Promise<Link> {
  const socket = await connected(path);
  if (socket === undefined) return { kind: "nobody" };
  socket.write(`${JSON.stringify(hello)}\n`);
  const line = await firstLine(socket, timeoutMs);
  const owner = line === undefined ? undefined : parseWelcome(line);
  if (owner !== undefined && !owner.handingOver && hello.role !== "probe")
    return { kind: "attached", socket, owner };
  // The other end closing first is an owner that died just now, or is full: somebody else may answer the next try.
  const closed = socket.readableEnded || socket.destroyed;
  socket.destroy();
  if (owner?.handingOver) return { kind: "handing-over" };
  if (owner !== undefined) return { kind: "attached", socket, owner };
  return closed ? { kind: "nobody" } : { kind: "silent" };
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    // Refused, or no such file. Later errors are followed by `close`, which is what everybody listens to.
    socket.on("error", () => resolve(undefined));
    socket.once("connect", () => resolve(socket));
  });
}
