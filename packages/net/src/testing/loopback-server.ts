import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Handler } from "../wire.ts";

/** A bare HTTP server for tests of wires: `surface` has the one for products. */
export async function listenOnLoopback(
  handler: Handler,
): Promise<{ readonly server: Server; readonly base: string }> {
  const server = createServer((request, response) => {
    answer(handler, request, response).catch((error: Error) => response.destroy(error));
  });
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function answer(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const [path = "/", query = ""] = (request.url ?? "/").split("?");
  const address = request.socket.remoteAddress ?? "";
  const { status, headers, body } = await handler({
    method: request.method ?? "GET",
    path,
    query,
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: Buffer.concat(chunks),
    remote: { address, loopback: address.startsWith("127.") },
    signal: gone.signal,
  });
  response.writeHead(status, headers);
  if (typeof body === "string" || body instanceof Uint8Array) return void response.end(body);
  await pipeline(Readable.from(body), response);
}
