import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Body } from "./papers.ts";
import { pythonJson } from "./python-json.ts";

const CALL_MS = 10_000;

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: Body;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
}

/** Status and body; a string is sent as plain text. */
export type Reply = readonly [status: number, body: unknown];

/** Serves on a free port of this machine until closed. */
export async function serve(
  answer: (request: Received) => Promise<Reply>,
): Promise<{ server: Server; base: string }> {
  const server = createServer((request, response) => {
    received(request)
      .then(answer)
      .then(([status, body]) => {
        const isText = typeof body === "string";
        const type = isText ? "text/plain; charset=utf-8" : "application/json";
        response.writeHead(status, { "content-type": type }).end(isText ? body : pythonJson(body));
      })
      .catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { server, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function received(request: IncomingMessage): Promise<Received> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    contentType: request.headers["content-type"] ?? "",
    body: text === "" ? undefined : JSON.parse(text),
  };
}

/** A request with a body as Python writes it. */
export async function call(method: string, url: string, body?: object): Promise<Answered> {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(CALL_MS),
    ...(body && { body: pythonJson(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  return { status: response.status, text, body: parsed(text) };
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    // Some answers are plain text.
    return undefined;
  }
}
