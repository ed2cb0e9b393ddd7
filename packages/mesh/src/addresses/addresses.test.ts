import { netError, type PortMapper } from "@darkmatter/net";
import { expect, test } from "vitest";
import { meshError } from "../errors.ts";
import type { Peers } from "../peers.ts";
import type { MeshConfig, MeshPorts } from "../ports.ts";
import { TEST_CONFIG } from "../testing.ts";
import { createAddresses } from "./addresses.ts";
import { createPublicAddress } from "./public-address.ts";

interface Machine {
  readonly host?: string;
  readonly lan?: readonly string[];
  readonly networks?: readonly string[];
  /** Where a beacon was heard from. */
  readonly heard?: string;
  readonly config?: Partial<MeshConfig>;
  /** What the address service answers. */
  readonly service?: unknown;
  readonly portMapper?: PortMapper;
}

/** A node's addresses on a machine that the test describes and may change. */
function addressesOf({ host = "0.0.0.0", lan = [], config = {}, ...rest }: Machine) {
  const { service, portMapper, networks, heard } = rest;
  const machine = { lan, service };
  const asked: string[] = [];
  const reports: string[] = [];
  const ports = {
    config: { ...TEST_CONFIG, ...config },
    listening: () => ({ host, port: 8100 }),
    lanAddresses: () => machine.lan,
    signer: { agentId: "aa".repeat(32) },
    report: (event: string) => void reports.push(event),
    ...(portMapper && { portMapper }),
    ...(networks && { lanNetworks: () => networks }),
  } as unknown as MeshPorts;
  const peers: Peers = {
    async get({ url }) {
      asked.push(url);
      if (machine.service instanceof Error) throw machine.service;
      return { status: 200, body: { ip: machine.service as string } };
    },
    post: () => Promise.reject(meshError("NOT_FOUND")),
  };
  const publicAddress = createPublicAddress(ports, peers);
  const addresses = createAddresses(ports, publicAddress, (address) => address === heard);
  return { machine, asked, reports, addresses };
}

const SERVICE = { ipService: "https://ip.example/" };
const HERE = "http://127.0.0.1:8200/mcp";
const NEAR = "http://192.168.1.9:8100";
const FAR = "https://peer.example";

/** What each kind of peer is told. */
const told = ({ base }: { base(url?: string): string }) => [base(HERE), base(NEAR), base(FAR), base()];

test("each peer is told the address by which it reaches us", async () => {
  const { addresses } = addressesOf({
    lan: ["10.0.0.7", "192.168.1.5"],
    config: SERVICE,
    service: "5.6.7.8",
  });
  await addresses.detect();
  const [loopback, near, far] = ["http://127.0.0.1:8100", "http://192.168.1.5:8100", "http://5.6.7.8:8100"];
  expect(told(addresses)).toEqual([loopback, near, far, far]);
  expect(addresses.base("http://10.0.0.99:8100")).toBe("http://10.0.0.7:8100");
  expect(addresses.base("http://[fd00::1]:8100")).toBe("http://10.0.0.7:8100");
});

test("a node that listens on this machine alone tells nothing else, and asks nobody", async () => {
  const { addresses, asked } = addressesOf({
    host: "127.0.0.1",
    lan: ["192.168.1.5"],
    config: { ...SERVICE, portMapping: true },
    service: "5.6.7.8",
    portMapper: { map: () => Promise.reject(new Error("asked")) },
  });
  await addresses.detect();
  expect(new Set(told(addresses))).toEqual(new Set(["http://127.0.0.1:8100"]));
  expect([asked, addresses.local(), addresses.behindNat()]).toEqual([[], undefined, true]);
});

test("a node that listens at one address tells that one near", () => {
  const { addresses } = addressesOf({ host: "192.168.1.5", lan: ["192.168.1.5", "10.0.0.7"] });
  expect(new Set(told(addresses))).toEqual(new Set(["http://192.168.1.5:8100"]));
});

test("what the owner wrote is told to all it can be meant for", () => {
  const open = addressesOf({ lan: ["192.168.1.5"], config: { publicUrl: "https://me.example/" } }).addresses;
  expect(told(open)).toEqual([
    "http://127.0.0.1:8100",
    "http://192.168.1.5:8100",
    "https://me.example",
    "https://me.example",
  ]);
  expect(open.behindNat()).toBe(false);
  const local = addressesOf({
    lan: ["192.168.1.5"],
    config: { publicUrl: "http://192.168.9.9:80/" },
  }).addresses;
  expect(new Set(told(local))).toEqual(new Set(["http://192.168.9.9:80"]));
});

test("a public address of our own is no NAT; one a service tells is; one the router maps is not", async () => {
  const own = addressesOf({ lan: ["5.6.7.8"], config: SERVICE, service: "5.6.7.8" });
  await own.addresses.detect();
  expect([own.addresses.behindNat(), own.addresses.base(FAR), own.asked]).toEqual([
    false,
    "http://5.6.7.8:8100",
    [],
  ]);
  const behind = addressesOf({ lan: ["192.168.1.5"], config: SERVICE, service: "5.6.7.8" });
  await behind.addresses.detect();
  expect(behind.addresses.behindNat()).toBe(true);
  const mapped = addressesOf({
    lan: ["192.168.1.5"],
    config: { portMapping: true },
    portMapper: mapper().port,
  });
  await mapped.addresses.detect();
  expect([mapped.addresses.behindNat(), mapped.addresses.base(FAR)]).toEqual([false, "http://5.6.7.9:41000"]);
});

test("a node asks its router for the same public port after each start", async () => {
  const wishes: (number | undefined)[] = [];
  const { port } = mapper();
  const portMapper: PortMapper = {
    map(wish) {
      wishes.push(wish.externalPort);
      return port.map(wish);
    },
  };
  for (let start = 0; start < 2; start++) {
    const { addresses } = addressesOf({ lan: ["192.168.1.5"], config: { portMapping: true }, portMapper });
    await addresses.detect();
    await addresses.close();
  }
  expect(wishes).toEqual([wishes[0], wishes[0]]);
  expect(wishes[0]).toBeGreaterThanOrEqual(30_000);
  expect(wishes[0]).toBeLessThan(60_000);
});

function mapper() {
  const done: string[] = [];
  const state = { lost: false, address: "5.6.7.9" };
  const port: PortMapper = {
    async map({ internalPort }) {
      done.push(`map ${internalPort}`);
      return {
        externalAddress: state.address,
        externalPort: 41_000,
        by: "upnp",
        async renew() {
          done.push("renew");
          if (state.lost) throw netError("UNREACHABLE");
        },
        async remove() {
          done.push("remove");
        },
      };
    },
  };
  return { port, done, state };
}

test("a mapping is kept, made anew when the router forgot it, and given back", async () => {
  const { port, done, state } = mapper();
  const { addresses } = addressesOf({
    lan: ["192.168.1.5"],
    config: { portMapping: true },
    portMapper: port,
  });
  expect([await addresses.detect(), await addresses.detect()]).toEqual([true, false]);
  state.lost = true;
  state.address = "5.6.7.10";
  expect(await addresses.detect()).toBe(true);
  await addresses.close();
  expect(done).toEqual(["map 8100", "renew", "renew", "map 8100", "remove"]);
});

test.each(["192.168.1.1", "127.0.0.1", "169.254.1.1", "router", "5.6.7.8/../", 7, null, netError("TIMEOUT")])(
  "a service that answers %s tells nothing",
  async (service) => {
    const { addresses } = addressesOf({ lan: ["192.168.1.5"], config: SERVICE, service });
    expect(await addresses.detect()).toBe(false);
    expect([addresses.base(FAR), addresses.publicHost()]).toEqual(["http://192.168.1.5:8100", undefined]);
  },
);

test("a service that fails for once does not take our address away", async () => {
  const { addresses, machine } = addressesOf({ lan: ["192.168.1.5"], config: SERVICE, service: "5.6.7.8" });
  await addresses.detect();
  machine.service = netError("TIMEOUT");
  expect(await addresses.detect()).toBe(false);
  expect(addresses.publicHost()).toBe("5.6.7.8");
});

test("a change of this machine's addresses is noticed once", () => {
  const { addresses, machine } = addressesOf({ lan: ["192.168.1.5"] });
  expect([addresses.look(), addresses.look()]).toEqual([true, false]);
  machine.lan = ["10.1.1.1"];
  expect([addresses.look(), addresses.look(), addresses.base(NEAR)]).toEqual([
    true,
    false,
    "http://10.1.1.1:8100",
  ]);
});

test("behind a router callbacks of agents elsewhere come by an anchor, and those near us directly", async () => {
  const config = { ...SERVICE, anchors: ["http://anchor.example/"] };
  const { addresses } = addressesOf({ lan: ["192.168.1.5"], config, service: "5.6.7.8" });
  await addresses.detect();
  const webhook = (url?: string) => addresses.webhookFor(url === undefined ? undefined : { url }, "msg-1");
  const relay = `http://anchor.example/__darkmatter__/webhook_relay/${"aa".repeat(32)}/msg-1`;
  expect([webhook(HERE), webhook(NEAR), webhook(FAR), webhook()]).toEqual([
    "http://127.0.0.1:8100/__darkmatter__/webhook/msg-1",
    "http://192.168.1.5:8100/__darkmatter__/webhook/msg-1",
    relay,
    relay,
  ]);
  const alone = addressesOf({ host: "127.0.0.1", config: { anchors: ["http://anchor.example"] } }).addresses;
  expect(alone.webhookFor({ url: NEAR }, "msg-1")).toBe(relay);
});

test("a private address in no network of ours is behind another router, unless a beacon was heard from it", async () => {
  const networks = ["192.168.1.5/24", "10.8.0.2/32", "fd00:1::5/64"];
  const lan = ["192.168.1.5", "10.8.0.2", "fd00:1::5"];
  const at = { lan, networks, heard: "192.168.9.9", config: SERVICE, service: "5.6.7.8" };
  const { addresses } = addressesOf(at);
  await addresses.detect();
  const near = (host: string) => [host, addresses.isNear(`http://${host}:8100`)];
  const hosts = ["192.168.1.77", "192.168.9.9", "10.9.9.9", "[fd00:1::6]", "127.0.0.1"];
  expect(hosts.map(near)).toEqual(hosts.map((host) => [host, true]));
  const others = ["192.168.2.2", "172.16.0.1", "[fd00:2::6]", "5.6.7.9"];
  expect(others.map(near)).toEqual(others.map((host) => [host, false]));
  expect(addresses.base("http://192.168.2.2:8100")).toBe("http://5.6.7.8:8100");
  expect(addresses.base("http://192.168.1.9:8100")).toBe("http://192.168.1.5:8100");
});

test("a callback for an agent behind another router comes by the anchor, where nobody tells our public address", () => {
  const config = { anchors: ["http://anchor.example"] };
  const { addresses } = addressesOf({ lan: ["192.168.1.5"], networks: ["192.168.1.5/24"], config });
  const relay = `http://anchor.example/__darkmatter__/webhook_relay/${"aa".repeat(32)}/msg-1`;
  expect(addresses.webhookFor({ url: "http://192.168.2.2:8100" }, "msg-1")).toBe(relay);
  expect(addresses.webhookFor({ url: NEAR }, "msg-1")).toBe(
    "http://192.168.1.5:8100/__darkmatter__/webhook/msg-1",
  );
});
