import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { hasCode } from "@darkmatter/core";
import { afterEach, expect, test } from "vitest";
import { createHandler, largestBody } from "../handler.ts";
import { BODY_BYTES_MAX, json, type Route, type RouteRequest } from "../route.ts";
import { type HttpServer, serveHttp } from "./http-server.ts";

const servers: HttpServer[] = [];
const errors: unknown[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  expect(errors.splice(0)).toEqual([]);
});

async function serve(handle: Route["handle"], part: Partial<Route> = {}): Promise<HttpServer> {
  const routes: Route[] = [
    { method: "POST", path: "/a/:id", summary: "", guards: [], body: "raw", handle, ...part },
    { method: "GET", path: "/a/:id", summary: "", guards: [], body: "none", handle },
  ];
  const handler = createHandler(routes, { onError: ({ error }) => errors.push(error) });
  const server = await serveHttp({
    handler,
    host: "127.0.0.1",
    port: 0,
    maxBodyBytes: largestBody(routes),
    onError: (error) => errors.push(error),
  });
  servers.push(server);
  return server;
}

const echo = async ({ method, path, query, params, headers, body, remote }: RouteRequest) =>
  json(200, {
    method,
    path,
    query,
    params,
    type: headers["content-type"],
    body: Buffer.from(body).toString("hex"),
    remote,
  });

test.each(["application/json", "text/plain", "garbage", "multipart/form-data", "", undefined])(
  "the bytes arrive as they came under the content type %j",
  async (type) => {
    const { url } = await serve(echo);
    const answer = await fetch(`${url}/a/x%20y?q=%zz&q=2`, {
      method: "POST",
      body: Buffer.from([0x7b, 0xff, 0x00]),
      headers: type === undefined ? {} : { "content-type": type },
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      method: "POST",
      path: "/a/x%20y",
      query: "q=%zz&q=2",
      params: { id: "x y" },
      body: "7bff00",
      remote: { address: "127.0.0.1", loopback: true },
    });
  },
);

test("paths are neither decoded nor redirected on the way, and every method reaches the table", async () => {
  const { url } = await serve(echo);
  const statusOf = async (path: string, method = "GET") =>
    (await fetch(url + path, { method, redirect: "manual" })).status;
  expect(await statusOf("/a/%")).toBe(400);
  expect(await statusOf("/a/1/")).toBe(404);
  expect(await statusOf("//a/1")).toBe(404);
  expect(await statusOf("/A/1")).toBe(404);
  expect(await statusOf("/a/1", "PUT")).toBe(405);
  expect(await statusOf("/a/1", "PROPFIND")).toBe(405);
  const head = await fetch(`${url}/a/1`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(Number(head.headers.get("content-length"))).toBeGreaterThan(10);
});

test("a body above every route's limit is 413 as JSON, whether its length is announced or not", async () => {
  const { url } = await serve(echo, { maxBytes: 1000 });
  const limit = 1024 * 1024;
  const announced = await fetch(`${url}/a/1`, { method: "POST", body: Buffer.alloc(limit + 1) });
  expect([announced.status, await announced.json()]).toEqual([413, { error: "Request body too large" }]);
  const chunked = await new Promise<number>((resolve, reject) => {
    const out = request(`${url}/a/1`, { method: "POST" }, (answer) =>
      resolve(answer.resume().statusCode ?? 0),
    );
    out.on("error", reject);
    for (let chunk = 0; chunk < 17; chunk++) out.write(Buffer.alloc(limit / 16));
  });
  expect(chunked).toBe(413);
  const overRoute = await fetch(`${url}/a/1`, { method: "POST", body: Buffer.alloc(1001) });
  expect(overRoute.status).toBe(413);
});

test.each(["announced", "in pieces"])(
  "a large body that is %s is read once it is admitted, held until it is answered, or refused unread",
  async (how) => {
    const said: string[] = [];
    const server = await serveHttp({
      handler: async ({ body }) => json(200, { bytes: body.byteLength, said: [...said] }),
      host: "127.0.0.1",
      port: 0,
      maxBodyBytes: 4 * BODY_BYTES_MAX,
      admitLarge: async ({ path, headers, body }, bytes) => {
        said.push(`asked ${path} ${body.byteLength} ${bytes / BODY_BYTES_MAX}`);
        if (headers.authorization === undefined) return { kind: "refused", answer: json(401, {}) };
        return { kind: "admitted", release: () => said.push("released") };
      },
      onError: (error) => errors.push(error),
    });
    servers.push(server);
    const pieces = Array.from({ length: 32 }, () => Buffer.alloc(BODY_BYTES_MAX / 16));
    const send = async (size: number, headers: Record<string, string>) => {
      const body = pieces.slice(0, size * 16);
      const answer = await fetch(`${server.url}/a`, {
        method: "POST",
        headers,
        duplex: "half",
        body: how === "announced" ? Buffer.concat(body) : ReadableStream.from(body),
      } as RequestInit);
      return [answer.status, await answer.json()];
    };
    expect(await send(1, {})).toEqual([200, { bytes: BODY_BYTES_MAX, said: [] }]);
    const asked = `asked /a 0 ${how === "announced" ? 2 : 4}`;
    expect(await send(2, { authorization: "x" })).toEqual([
      200,
      { bytes: 2 * BODY_BYTES_MAX, said: [asked] },
    ]);
    expect(said).toEqual([asked, "released"]);
    const refused = await new Promise<number>((resolve, reject) => {
      const out = request(`${server.url}/a`, { method: "POST" }, (answer) =>
        resolve(answer.resume().statusCode ?? 0),
      );
      if (how === "announced") out.setHeader("content-length", 2 * BODY_BYTES_MAX);
      out.on("error", reject);
      // The last byte never comes.
      for (const piece of pieces.slice(0, 17)) out.write(piece);
    });
    expect(refused).toBe(401);
    expect(said).toEqual([asked, "released", asked]);
  },
);

test("a streamed answer sends its headers at once, and ends when the caller leaves", async () => {
  const left = Promise.withResolvers<unknown>();
  const { url } = await serve(async ({ signal }) => ({
    status: 200,
    headers: { "content-type": "text/event-stream" },
    body: (async function* () {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      left.resolve(signal.reason);
      yield Buffer.from("too late");
    })(),
  }));
  const leaving = new AbortController();
  const answer = await fetch(`${url}/a/1`, { signal: leaving.signal });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  leaving.abort();
  expect(await left.promise).toMatchObject({ name: "AbortError" });
});

test("a caller that leaves while it waits aborts the request", async () => {
  const left = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const { url } = await serve(async ({ signal }) => {
    signal.addEventListener("abort", () => left.resolve());
    begun.resolve();
    await left.promise;
    return json(200, {});
  });
  const leaving = new AbortController();
  const answer = fetch(`${url}/a/1`, { signal: leaving.signal });
  await begun.promise;
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await left.promise;
});

test("a caller that leaves in the middle of its body reaches no handler", async () => {
  const { port } = await serve(async () => {
    errors.push("handled");
    return json(200, {});
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /a/1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 10\r\n\r\nhalf");
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
});

test("closing ends idle sockets and endless streams within its grace", async () => {
  const server = await serve(async () => ({
    status: 200,
    headers: {},
    body: (async function* () {
      for (let beat = 0; ; beat++) {
        yield Buffer.from(`${beat}\n`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })(),
  }));
  const idle = connect(server.port, "127.0.0.1");
  await once(idle, "connect");
  const endless = await fetch(`${server.url}/a/1`);
  const cut = endless.text().catch(() => "cut");
  const began = performance.now();
  await server.close();
  expect(performance.now() - began).toBeLessThan(2000);
  expect(await cut).toBe("cut");
  idle.destroy();
});

test("a port that is taken says so by its code", async () => {
  const { port } = await serve(echo);
  const second = serveHttp({
    handler: async () => json(200, {}),
    host: "127.0.0.1",
    port,
    onError: () => undefined,
  });
  await expect(second).rejects.toSatisfy((error) => hasCode(error, "PORT_TAKEN"));
});

test("what is no HTTP is answered 400 and its socket closed", async () => {
  const { port } = await serve(echo);
  const socket = connect(port, "127.0.0.1");
  socket.end("\x16\x03\x01 hello\r\n\r\n");
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 400 /);
});
