import { systemClock } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultGateways } from "./adapters/gateways.ts";
import { createPortMapper, createUndiciWire } from "./index.ts";
import { locationOf, servicesOf } from "./port-mapping/igd.ts";
import type { MappingTools } from "./port-mapping/request.ts";
import { xmlElements } from "./port-mapping/xml.ts";
import { fakeGateway, fakeNatPmp, type Manners } from "./testing/fake-gateway.ts";

const REQUEST = { internalPort: 8100, description: "DarkMatter mesh" };
const NOBODY = { address: "127.0.0.1", port: 9 };

function mapper(tools: Partial<MappingTools>) {
  const wire = createUndiciWire();
  const { map } = createPortMapper({
    clock: systemClock,
    random: seededRandom(1),
    wire,
    ssdp: NOBODY,
    addresses: () => ["127.0.0.1"],
    gateways: () => [],
    searchMs: 150,
    ...tools,
  });
  return { map: () => map(REQUEST), [Symbol.asyncDispose]: () => wire.close() };
}

const failed = { name: "DarkMatterError", code: "MAPPING_FAILED" };

describe("by UPnP", () => {
  test.each<[string, Manners]>([
    ["version 1", {}],
    ["version 2", { version: 2 }],
    ["one on a telephone line", { service: "WANPPPConnection:1" }],
    ["one that cannot say what a port leads to", { mute: true }],
    ["one whose first four ports are taken", { taken: 4 }],
  ])("a router of %s opens a port, keeps it and closes it", async (_what, manners) => {
    await using gateway = await fakeGateway(manners);
    await using router = mapper({ ssdp: gateway.ssdp });
    const mapping = await router.map();
    expect(mapping).toMatchObject({ by: "upnp", externalAddress: "5.6.7.8" });
    expect(mapping.externalPort).toBeGreaterThanOrEqual(30_000);
    expect(mapping.externalPort).toBeLessThanOrEqual(60_000);
    expect(Object.fromEntries(gateway.added[0] ?? [])).toEqual({
      NewRemoteHost: "",
      NewExternalPort: `${mapping.externalPort}`,
      NewProtocol: "TCP",
      NewInternalPort: "8100",
      NewInternalClient: "127.0.0.1",
      NewEnabled: "1",
      NewPortMappingDescription: "DarkMatter mesh",
      NewLeaseDuration: "3600",
    });
    await mapping.renew();
    expect([gateway.added.length, gateway.mappings.size]).toEqual([2, 1]);
    await mapping.remove();
    expect(gateway.mappings.size).toBe(0);
    await mapping.remove();
  });

  test("a router that knows no leases is given none", async () => {
    await using gateway = await fakeGateway({ onlyPermanent: true });
    await using router = mapper({ ssdp: gateway.ssdp });
    await router.map();
    expect(gateway.added.map((fields) => fields.get("NewLeaseDuration"))).toEqual(["0"]);
  });

  test.each<[string, Manners]>([
    ["has five ports in a row taken", { taken: 5 }],
    ["is itself behind another router", { externalAddress: "192.168.0.7" }],
    ["is itself behind a provider's router", { externalAddress: "100.64.1.1" }],
    ["claims a loopback address", { externalAddress: "127.0.0.1" }],
    ["claims the metadata address", { externalAddress: "169.254.169.254" }],
    ["claims no address", { externalAddress: "" }],
    ["claims a name", { externalAddress: "router.example" }],
    ["maps to another machine", { lies: "elsewhere" }],
    ["maps nothing and says it did", { lies: "nothing" }],
    ["has no such service", { service: "Layer3Forwarding:1" }],
    ["is controlled elsewhere", { controlUrl: "http://127.0.0.2:80/control" }],
    ["describes itself with entities", { description: '<!DOCTYPE r [<!ENTITY a "aa">]><r>&a;</r>' }],
    ["describes itself without end", { description: `<r>${"<a>".repeat(50_000)}` }],
    ["describes itself in no XML", { description: "hello" }],
    ["sends us elsewhere", { redirects: "http://127.0.0.1:1/" }],
  ])("a router that %s opens none", async (_what, manners) => {
    await using gateway = await fakeGateway(manners);
    await using router = mapper({ ssdp: gateway.ssdp });
    await expect(router.map()).rejects.toMatchObject(failed);
    expect(gateway.mappings.size).toBe(0);
  });

  test("an answer that names another machine is not followed, though something listens there", async () => {
    await using other = await fakeGateway();
    for (const location of [
      "http://127.0.0.2:80/",
      "http://169.254.169.254/latest",
      "http://router.example/",
      "https://127.0.0.1/",
      "ftp://127.0.0.1/",
      "http://user@127.0.0.1/",
      "nonsense",
      "",
    ]) {
      expect(
        locationOf(`HTTP/1.1 200 OK\r\nLOCATION: ${location}\r\n\r\n`, "127.0.0.1"),
        location,
      ).toBeUndefined();
    }
    await using gateway = await fakeGateway({ location: "http://127.0.0.2:80/description.xml" });
    await using router = mapper({ ssdp: gateway.ssdp });
    await expect(router.map()).rejects.toMatchObject(failed);
    expect([...gateway.asked, ...other.asked]).toEqual([]);
  });

  test.each<[string, Manners]>([
    ["describe itself", { hangs: "description" }],
    ["act", { hangs: "action" }],
  ])("a router that never comes to %s is given up within the limit", async (_what, manners) => {
    await using gateway = await fakeGateway(manners);
    await using router = mapper({ ssdp: gateway.ssdp, limitMs: 2000 });
    const before = systemClock.monotonic();
    await expect(router.map()).rejects.toMatchObject(failed);
    expect(systemClock.monotonic() - before).toBeLessThan(3000);
  });

  test("a mapping whose router has got another address, or forgot it and refuses, is told as lost", async () => {
    const manners: Manners = {};
    await using gateway = await fakeGateway(manners);
    await using router = mapper({ ssdp: gateway.ssdp });
    const mapping = await router.map();
    manners.externalAddress = "5.6.7.9";
    await expect(mapping.renew()).rejects.toMatchObject(failed);
    manners.externalAddress = "5.6.7.8";
    await mapping.renew();
    manners.taken = 1;
    await expect(mapping.renew()).rejects.toMatchObject(failed);
  });

  test("where no router answers there is none", async () => {
    await using router = mapper({});
    await expect(router.map()).rejects.toMatchObject(failed);
    await using nowhere = mapper({ addresses: () => [] });
    await expect(nowhere.map()).rejects.toMatchObject(failed);
  });
});

describe("by NAT-PMP", () => {
  interface Answers {
    readonly address?: readonly number[];
    readonly internalPort?: number;
    readonly externalPort?: number;
    readonly result?: number;
    readonly version?: number;
    readonly cut?: number;
  }
  /** A router whose answers are as they should be but for what is given. */
  function router(given: Answers, packets: Buffer[] = []) {
    return fakeNatPmp((packet) => {
      packets.push(packet);
      const answer = Buffer.alloc(packet[1] === 0 ? 12 : 16);
      answer[0] = given.version ?? 0;
      answer[1] = 128 + (packet[1] ?? 0);
      answer.writeUInt16BE(given.result ?? 0, 2);
      if (packet[1] === 0) Buffer.from(given.address ?? [5, 6, 7, 8]).copy(answer, 8);
      else {
        answer.writeUInt16BE(given.internalPort ?? packet.readUInt16BE(4), 8);
        answer.writeUInt16BE(given.externalPort ?? packet.readUInt16BE(6), 10);
        answer.writeUInt32BE(packet.readUInt32BE(8), 12);
      }
      return given.cut === undefined ? answer : answer.subarray(0, given.cut);
    });
  }
  const speaking = (port: number, more: Partial<MappingTools> = {}) =>
    mapper({ gateways: () => ["127.0.0.1"], natPmpPort: port, addresses: () => [], ...more });

  test("a router opens a port, keeps it and closes it", async () => {
    const packets: Buffer[] = [];
    await using gateway = await router({}, packets);
    await using ours = speaking(gateway.port);
    const mapping = await ours.map();
    expect(mapping).toMatchObject({ by: "nat-pmp", externalAddress: "5.6.7.8" });
    await mapping.renew();
    await mapping.remove();
    const port = mapping.externalPort.toString(16).padStart(4, "0");
    const map = `000200001fa4${port}00000e10`;
    expect(packets.map((packet) => packet.toString("hex"))).toEqual([
      "0000",
      map,
      "0000",
      map,
      "000200001fa4000000000000",
    ]);
  });

  test("another port than the one asked for is taken", async () => {
    await using gateway = await router({ externalPort: 1234 });
    await using ours = speaking(gateway.port);
    expect((await ours.map()).externalPort).toBe(1234);
  });

  test.each<[string, Answers]>([
    ["refuses", { result: 2 }],
    ["speaks another version", { version: 2 }],
    ["has a private address", { address: [192, 168, 0, 7] }],
    ["has no address", { address: [0, 0, 0, 0] }],
    ["maps another port of ours", { internalPort: 22 }],
    ["maps port 0", { externalPort: 0 }],
    ["answers half", { cut: 8 }],
  ])("a router that %s opens none", async (_what, answers) => {
    await using gateway = await router(answers);
    await using ours = speaking(gateway.port, { limitMs: 1500 });
    await expect(ours.map()).rejects.toMatchObject(failed);
  });

  test("where it leads nowhere UPnP is asked", async () => {
    await using silent = await fakeNatPmp(() => undefined);
    await using gateway = await fakeGateway();
    await using ours = speaking(silent.port, { ssdp: gateway.ssdp, addresses: () => ["127.0.0.1"] });
    expect(await ours.map()).toMatchObject({ by: "upnp" });
  });

  test("the kernel's table of routes says where the router is", () => {
    const table = [
      "Iface\tDestination\tGateway \tFlags",
      "eth0\t00000000\t0101A8C0\t0003",
      "eth0\t0001A8C0\t00000000\t0001",
      "tun0\t00000000\t00000000\t0001",
      "odd\t00000000\tnonsense\t0003",
    ];
    expect(defaultGateways(table.join("\n"))).toEqual(["192.168.1.1"]);
  });
});

describe("a router's XML", () => {
  test("is read to its elements", () => {
    expect(xmlElements("<?xml version='1.0'?><a:r x='1'><!-- <b> --><c> 1 &lt; 2 </c><d/></a:r>")).toEqual([
      { name: "c", text: "1 < 2" },
      { name: "d", text: "" },
      { name: "r", text: "" },
    ]);
  });

  test.each([
    "",
    "text",
    "<a>",
    "<a></b>",
    "<a",
    "<!DOCTYPE a><a/>",
    "<a><![CDATA[x]]></a>",
    "<a><!-- </a>",
    "<a <b></a>",
    "<a>".repeat(33) + "</a>".repeat(33),
    `<r>${"<a/>".repeat(4001)}</r>`,
  ])("is refused when it is %j", (xml) => {
    expect(xmlElements(xml.slice(0, 64 * 1024))).toBeUndefined();
  });

  test("never makes the reader throw, whatever it is, nor takes it long", () => {
    const piece = fc.constantFrom(
      "<a>",
      "</a>",
      "<a/>",
      "<",
      ">",
      "<!--",
      "-->",
      "&lt;",
      "text",
      "<?",
      "<service>",
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => void xmlElements(pieces.join(""))));
    const before = systemClock.monotonic();
    for (const text of ["<a>", "<", "<!--", "<a", "</a>", "&lt;"])
      servicesOf(text.repeat(16_000), "http://10.0.0.1/");
    expect(systemClock.monotonic() - before).toBeLessThan(1000);
  });
});
