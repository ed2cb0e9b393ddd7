import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import type { Handler, OutboundRequest } from "../wire.ts";
import { memoryInternet } from "./memory-internet.ts";

const hello: Handler = async ({ remote }) => ({ status: 200, headers: {}, body: remote.address });
const get = (url: string): OutboundRequest => ({ method: "GET", url, timeoutMs: 5_000, reach: "private" });

function world() {
  const clock = virtualClock();
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const open = internet.host({ address: "5.6.7.8" });
  const box = internet.nat({ address: "9.9.9.9" });
  const inside = box.host({ address: "192.168.1.10" });
  open.listen(80, hello);
  inside.listen(8100, hello);
  const asks = async (host: typeof open, url: string) => {
    const asked = host.wire.request(get(url)).then(
      ({ status, body }) => `${status} ${new TextDecoder().decode(body)}`,
      ({ code }) => code as string,
    );
    await clock.advance(10_000);
    return asked;
  };
  return { clock, internet, open, box, inside, asks };
}

test("a machine behind a router reaches the open by the router's address, and is not reached", async () => {
  const { open, inside, asks } = world();
  expect(await asks(inside, "http://5.6.7.8/")).toBe("200 9.9.9.9");
  expect(await asks(open, "http://9.9.9.9:8100/")).toBe("UNREACHABLE");
  expect(await asks(open, "http://192.168.1.10:8100/")).toBe("UNREACHABLE");
});

test("a forwarded port leads in until the router forgets it", async () => {
  const { open, box, inside, asks } = world();
  box.forward(40_000, inside, 8100);
  expect(await asks(open, "http://9.9.9.9:40000/")).toBe("200 5.6.7.8");
  box.move("9.9.9.10");
  expect(await asks(open, "http://9.9.9.9:40000/")).toBe("UNREACHABLE");
  expect(await asks(open, "http://9.9.9.10:40000/")).toBe("200 5.6.7.8");
  box.forget();
  expect(await asks(open, "http://9.9.9.10:40000/")).toBe("UNREACHABLE");
});

test("a port that the machine itself asked for is renewed until the router forgets it", async () => {
  const { open, box, inside, asks } = world();
  const mapping = await inside.portMapper.map({ internalPort: 8100, description: "test" });
  const { externalAddress, externalPort } = mapping;
  expect(await asks(open, `http://${externalAddress}:${externalPort}/`)).toBe("200 5.6.7.8");
  await mapping.renew();
  const again = { internalPort: 8100, description: "test", externalPort };
  expect(await inside.portMapper.map(again)).toMatchObject({ externalAddress, externalPort });
  await inside.portMapper.map(again).then(({ renew }) => renew());
  box.forget();
  await expect(mapping.renew()).rejects.toMatchObject({ code: "MAPPING_FAILED" });
  await expect(open.portMapper.map({ internalPort: 80, description: "no router" })).rejects.toMatchObject({
    code: "MAPPING_FAILED",
  });
});

test("machines behind one router meet by their own addresses, by its public one only with a hairpin", async () => {
  const { internet, box, inside, asks } = world();
  const near = box.host({ address: "192.168.1.11" });
  box.forward(40_000, inside, 8100);
  expect(await asks(near, "http://192.168.1.10:8100/")).toBe("200 192.168.1.11");
  expect(await asks(near, "http://9.9.9.9:40000/")).toBe("UNREACHABLE");
  const turning = internet.nat({ address: "8.8.4.4", hairpin: true });
  const one = turning.host({ address: "192.168.1.10" });
  one.listen(8100, hello);
  turning.forward(40_000, one, 8100);
  expect(await asks(one, "http://8.8.4.4:40000/")).toBe("200 8.8.4.4");
});

test("hole punching works unless both routers map anew for each destination", () => {
  const { internet, inside, open } = world();
  const symmetric = () => internet.nat({ address: "7.7.7.7", mapping: "symmetric" });
  const one = symmetric().host({ address: "10.0.0.2" });
  const other = symmetric().host({ address: "10.0.0.2" });
  expect(internet.reaches(inside, one)).toBe(true);
  expect(internet.reaches(open, one)).toBe(true);
  expect(internet.reaches(one, other)).toBe(false);
});

test("a one-way partition stops the connections of one side alone", async () => {
  const { internet, open, inside, box, asks } = world();
  box.forward(40_000, inside, 8100);
  using _cut = internet.partition(open.name, inside.name, { oneWay: true });
  expect(await asks(open, "http://9.9.9.9:40000/")).toBe("UNREACHABLE");
  expect(await asks(inside, "http://5.6.7.8/")).toBe("200 9.9.9.9");
});

test("a repeated request is handled twice and answered once", async () => {
  const { internet, open, inside, asks } = world();
  let times = 0;
  open.listen(81, async () => ({ status: 200, headers: {}, body: `${++times}` }));
  internet.duplicate({}, { times: 1 });
  expect(await asks(inside, "http://5.6.7.8:81/")).toBe("200 1");
  expect(times).toBe(2);
});

test("a machine that moves while it answers is not heard", async () => {
  const { clock, internet, open, inside } = world();
  internet.latency(100);
  const asked = expect(inside.wire.request(get("http://5.6.7.8/"))).rejects.toMatchObject({
    code: "CONNECTION_LOST",
  });
  await clock.advance(150);
  open.move("5.6.7.9");
  await clock.advance(1_000);
  await asked;
});

test("a reset breaks what is under way, and nothing after it", async () => {
  const { clock, open, inside, asks } = world();
  const serving = open.listen(81, () => new Promise(() => undefined));
  const asked = expect(inside.wire.request(get("http://5.6.7.8:81/"))).rejects.toMatchObject({
    code: "CONNECTION_LOST",
  });
  await clock.advance(1_000);
  open.reset();
  await asked;
  serving[Symbol.dispose]();
  expect(await asks(inside, "http://5.6.7.8/")).toBe("200 9.9.9.9");
});
