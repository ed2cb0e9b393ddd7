import { isIP } from "node:net";
import { systemClock } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { describe, expect, test } from "vitest";
import { createUndiciWire, type Handler } from "./index.ts";
import { listenOnLoopback } from "./testing/loopback-server.ts";
import { memoryInternet, type WireUnderTest, wireSuite } from "./testing.ts";

async function httpNetwork(): Promise<WireUnderTest> {
  const cleanUp = new AsyncDisposableStack();
  const names = new Map<string, readonly string[]>([["localhost", ["127.0.0.1"]]]);
  const lookups = new Map<string, number>();
  const wire = createUndiciWire({
    async lookup(name) {
      lookups.set(name, (lookups.get(name) ?? 0) + 1);
      const found = names.get(name);
      if (!found) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND" });
      return found.map((address) => ({ address, family: isIP(address) }));
    },
  });
  cleanUp.defer(() => wire.close());
  const serve = async (handler: Handler) => {
    const { server, base } = await listenOnLoopback(handler);
    cleanUp.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return base;
  };
  return {
    wire,
    serve,
    breaking: () => serve(() => Promise.reject(new Error("broken"))),
    async nowhere() {
      const { server, base } = await listenOnLoopback(() => Promise.reject(new Error("closed")));
      await new Promise((resolve) => server.close(resolve));
      return base;
    },
    name: (name, addresses) => void names.set(name, addresses),
    lookups: (name) => lookups.get(name) ?? 0,
    pass: (durationMs) => systemClock.sleep(durationMs),
    [Symbol.asyncDispose]: () => cleanUp.disposeAsync(),
  };
}

async function memoryNetwork(): Promise<WireUnderTest> {
  const clock = virtualClock();
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const host = internet.host({ address: "192.168.1.5" });
  let port = 8100;
  const serve = async (handler: Handler) => {
    host.listen(++port, handler);
    return `http://127.0.0.1:${port}`;
  };
  return {
    wire: host.wire,
    serve,
    async breaking() {
      internet.lose("answer", {}, { times: 1 });
      return serve(async () => ({ status: 200, headers: {}, body: "" }));
    },
    nowhere: async () => "http://127.0.0.1:1",
    name: internet.name,
    lookups: internet.lookups,
    pass: clock.advance,
    [Symbol.asyncDispose]: () => host.wire.close(),
  };
}

describe.each([
  ["HTTP", httpNetwork],
  ["in memory", memoryNetwork],
] as const)("wire (%s)", (_name, make) => {
  for (const { title, run } of wireSuite(make)) test(title, run);
});

test("an address that was not admitted is no way in, though another of the same name was", async () => {
  await using net = await httpNetwork();
  const { port } = new URL(await net.serve(async () => ({ status: 200, headers: {}, body: "" })));
  // On Linux 0.0.0.0 leads to this machine; nothing listens at the admitted one.
  net.name("mixed.example", ["0.0.0.0", "127.0.0.2"]);
  const asked = net.wire.request({
    method: "GET",
    url: `http://mixed.example:${port}/`,
    timeoutMs: 5000,
    reach: "private",
  });
  await expect(asked).rejects.toMatchObject({ code: "UNREACHABLE" });
});

describe("the internet in memory", () => {
  const ok: Handler = async ({ remote }) => ({ status: 200, headers: {}, body: JSON.stringify(remote) });
  const make = () => {
    const clock = virtualClock();
    const internet = memoryInternet({ clock, random: seededRandom(2) });
    const ana = internet.host({ address: "8.8.4.1" });
    const bo = internet.host({ address: "8.8.4.2", names: ["bo.example"] });
    bo.listen(80, ok);
    const ask = (url = "http://bo.example/", timeoutMs = 1000) =>
      ana.wire.request({ method: "GET", url, timeoutMs, reach: "public" });
    return { clock, internet, ana, bo, ask };
  };

  test("the other host sees the caller's address, and itself only as loopback", async () => {
    const { ask, bo } = make();
    expect(JSON.parse(new TextDecoder().decode((await ask()).body))).toEqual({
      address: "8.8.4.1",
      loopback: false,
    });
    const own = await bo.wire.request({
      method: "GET",
      url: "http://localhost/",
      timeoutMs: 10,
      reach: "private",
    });
    expect(JSON.parse(new TextDecoder().decode(own.body))).toEqual({ address: "127.0.0.1", loopback: true });
  });

  test("a partition cuts both ways until it heals; a silent one lets callers wait", async () => {
    const { ask, internet, ana, bo, clock } = make();
    const cut = internet.partition(bo.name, ana.name);
    await expect(ask()).rejects.toMatchObject({ code: "UNREACHABLE" });
    cut[Symbol.dispose]();
    expect((await ask()).status).toBe(200);
    using _silence = internet.partition(ana.name, bo.name, { silent: true });
    const asked = expect(ask()).rejects.toMatchObject({ code: "TIMEOUT" });
    await clock.advance(1000);
    await asked;
  });

  test("latency passes on the clock, each way", async () => {
    const { ask, internet, clock } = make();
    internet.latency(40);
    const asked = ask().then(() => clock.now());
    await clock.advance(500);
    expect(await asked).toBe(80);
  });

  test("a lost request never arrives, a lost answer was handled", async () => {
    const { ask, internet, bo } = make();
    let handled = 0;
    bo.listen(81, async () => {
      handled++;
      return { status: 200, headers: {}, body: "" };
    });
    internet.lose("request", { to: bo.name }, { times: 1 });
    await expect(ask("http://bo.example:81/")).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(handled).toBe(0);
    internet.lose("answer", { from: "8.8.4.1" }, { times: 1 });
    await expect(ask("http://bo.example:81/")).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(handled).toBe(1);
    expect((await ask("http://bo.example:81/")).status).toBe(200);
  });

  test("chance loses about its share, and a seed always the same ones", async () => {
    const outcome = async () => {
      const { ask, internet } = make();
      internet.lose("request", {}, { chance: 0.3 });
      const results = await Promise.allSettled(Array.from({ length: 100 }, () => ask()));
      return results.map(({ status }) => status).join();
    };
    const first = await outcome();
    expect(first.split("rejected").length - 1).toBeGreaterThan(15);
    expect(first.split("rejected").length - 1).toBeLessThan(45);
    expect(await outcome()).toBe(first);
  });

  test("a host that is down or has moved is not at its old address, its names follow it", async () => {
    const { ask, bo } = make();
    {
      using _down = bo.down();
      await expect(ask()).rejects.toMatchObject({ code: "UNREACHABLE" });
    }
    bo.move("8.8.4.3");
    await expect(ask("http://8.8.4.2/")).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect((await ask()).status).toBe(200);
  });

  test("a closed wire gives up what is in flight and takes nothing more", async () => {
    const { ask, ana, bo } = make();
    bo.listen(82, () => new Promise(() => undefined));
    const asked = expect(ask("http://bo.example:82/")).rejects.toMatchObject({ code: "ABORTED" });
    await ana.wire.close();
    await asked;
    await expect(ask()).rejects.toMatchObject({ code: "ABORTED" });
  });
});

test("a connection that is not made in time was never there: no byte has left", async () => {
  const wire = createUndiciWire({ lookup: () => new Promise(() => undefined) });
  const call = { method: "POST", url: "http://silent.example/", timeoutMs: 50, reach: "public" } as const;
  await expect(wire.request(call)).rejects.toMatchObject({ code: "UNREACHABLE" });
  await wire.close();
});

test("a renewed wire uses no connection of before, and ends what was under way", async () => {
  const slow = Promise.withResolvers<void>();
  const { server, base } = await listenOnLoopback(async ({ path }) => {
    if (path === "/slow") await slow.promise;
    return { status: 200, headers: {}, body: "" };
  });
  let connections = 0;
  server.on("connection", () => void connections++);
  const wire = createUndiciWire();
  const get = async (path: string) =>
    (await wire.request({ method: "GET", url: base + path, timeoutMs: 5000, reach: "private" })).status;
  // A connection is free a moment after its answer.
  const settled = () => systemClock.sleep(30);
  await get("/");
  await settled();
  await get("/");
  await settled();
  expect(connections).toBe(1);
  const underWay = get("/slow");
  await settled();
  wire.renew?.();
  await get("/");
  expect(connections).toBe(2);
  slow.resolve();
  expect(await underWay).toBe(200);
  await wire.close();
  server.closeAllConnections();
  server.close();
});
