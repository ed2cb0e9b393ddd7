import { type Clock, DarkMatterError, type Random, utf8 } from "@darkmatter/core";
import { addressClass, bareHost, isAddressLiteral } from "../addresses.ts";
import { readBody } from "../body.ts";
import { netError } from "../errors.ts";
import { admitUrl, reachableAddresses } from "../guard.ts";
import type { PortMapper } from "../port-mapping.ts";
import { followRedirects } from "../redirects.ts";
import {
  ANSWER_BYTES_MAX,
  type Handler,
  type HandlerResponse,
  type InboundRequest,
  type OutboundAnswer,
  type OutboundRequest,
  type Wire,
} from "../wire.ts";
import { createFaults, type Faults, type Way } from "./faults.ts";
import { type Box, boxMapper, canPunch, type Machine, type Route, routeTo } from "./nat-box.ts";

export interface MemoryHost {
  /** Its present address; the machine's name in faults is the first one it had, after that of the router before it. */
  readonly address: string;
  readonly name: string;
  readonly wire: Wire;
  /** A wire that can be closed while the machine goes on, as a process takes its own with it. */
  openWire(): Wire;
  /** Serves a port until disposed; a port taken throws. */
  listen(port: number, handler: Handler): Disposable;
  /** Off the network until disposed: its own loopback still works. */
  down(): Disposable;
  /** Breaks every connection to it that is under way, as the end of its process does. */
  reset(): void;
  /** Gets another address, as a laptop does in another network; its names follow it. `into`: behind which router. */
  move(address: string, into?: NatBox | "open"): void;
  /** Asks the router it stands behind. */
  readonly portMapper: PortMapper;
}

export interface HostOptions {
  readonly address: string;
  readonly names?: readonly string[];
}

export interface NatOptions {
  /** Its public address, by which others see every machine behind it. */
  readonly address: string;
  /** Default `endpoint-independent`. */
  readonly mapping?: "endpoint-independent" | "symmetric";
  /** Whether machines behind it reach each other by its public address. Default no. */
  readonly hairpin?: boolean;
}

/** A router with a private network behind it: what was not forwarded is not reached from outside. */
export interface NatBox {
  readonly address: string;
  /** A machine behind it. */
  host(options: HostOptions): MemoryHost;
  /** Leads a public port to a machine's until disposed. */
  forward(externalPort: number, host: MemoryHost, port: number): Disposable;
  /** Forgets every forwarded port, as a router that was started anew. */
  forget(): void;
  /** Gets another public address. */
  move(address: string): void;
}

export interface MemoryInternet extends Faults {
  /** A machine in the open: everybody there reaches it, private addresses among themselves. */
  host(options: HostOptions): MemoryHost;
  nat(options: NatOptions): NatBox;
  /** What a name resolves to from now on. */
  name(name: string, addresses: readonly string[]): void;
  /** How often a name was looked up. */
  lookups(name: string): number;
  /** Whether datagrams find a way between two machines that both try (hole punching), as things are now. */
  reaches(one: MemoryHost, other: MemoryHost): boolean;
  /** Whether two machines are in one network, so that multicast of one is heard by the other. */
  areNear(one: MemoryHost, other: MemoryHost): boolean;
}

/** Nobody looks at it, and one for each exchange would be dear: an error takes its stack. */
const OVER = new DOMException("It is over", "AbortError");

/**
 * A network without sockets: each host's `Wire` calls the other's `Handler` after the same guard as the real one.
 * `http` and `https` differ only in their default port.
 */
export function memoryInternet({
  clock,
  random,
}: {
  readonly clock: Clock;
  readonly random: Random;
}): MemoryInternet {
  const machines: Machine[] = [];
  const names = new Map<string, readonly string[] | Machine>();
  const lookups = new Map<string, number>();
  const boxes: Box[] = [];
  const ofHost = new Map<MemoryHost, Machine>();
  const ofBox = new Map<NatBox, Box>();
  const { faults, isCut, connect, carry, repeated } = createFaults({ clock, random });

  function resolve(host: string): readonly string[] {
    if (isAddressLiteral(host)) return [host];
    lookups.set(host, (lookups.get(host) ?? 0) + 1);
    if (host === "localhost") return ["127.0.0.1"];
    const found = names.get(host);
    if (!found) throw netError("UNREACHABLE");
    return "ports" in found ? [(found.box ?? found).address] : found;
  }

  async function exchange(
    caller: Machine,
    request: OutboundRequest,
    signal: AbortSignal,
  ): Promise<OutboundAnswer> {
    const url = admitUrl(request.url);
    const [address = ""] = reachableAddresses(resolve(bareHost(url.hostname)), request.reach);
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    const leads = () => routeTo(machines, boxes, caller, address, port);
    const route = leads();
    if (!route) throw netError("UNREACHABLE");
    const way = { from: caller.name, to: route.target.name };
    await connect(way, signal);
    const handler = route.target.ports.get(route.port);
    if (!handler) throw netError("UNREACHABLE");
    const { broken } = route.target;
    await carry("request", way, signal);
    requireStanding(route, leads(), broken.signal);
    const remote = { address: route.from, loopback: addressClass(address) === "loopback" };
    const response = await handled(handler, inbound(request, url, remote, signal), broken.signal, way);
    const answer = await received(response, request.maxBytes ?? ANSWER_BYTES_MAX);
    await carry("answer", way, signal);
    // Without this, a host that went down while handling would still answer.
    requireStanding(route, leads(), broken.signal);
    return answer;
  }

  /** What the handler answers, the first time where the request arrives twice. @throws CONNECTION_LOST */
  async function handled(handler: Handler, request: InboundRequest, broken: AbortSignal, way: Way) {
    const againMs = repeated(way);
    const answers = [handler(request).catch(unforeseen)];
    if (againMs !== undefined) answers.push(again(handler, request, againMs, broken));
    const breaks = Promise.withResolvers<never>();
    const fail = () => breaks.reject(netError("CONNECTION_LOST"));
    broken.addEventListener("abort", fail);
    try {
      return await Promise.race([...answers, breaks.promise]);
    } finally {
      broken.removeEventListener("abort", fail);
    }
  }

  async function again(handler: Handler, request: InboundRequest, afterMs: number, broken: AbortSignal) {
    await clock.sleep(afterMs);
    if (broken.aborted) throw netError("CONNECTION_LOST");
    return handler({ ...request, signal: request.signal }).catch(unforeseen);
  }

  function hostOf(machine: Machine): MemoryHost {
    const openWire = () => createMemoryWire(clock, (request, signal) => exchange(machine, request, signal));
    const host: MemoryHost = {
      name: machine.name,
      get address() {
        return machine.address;
      },
      wire: openWire(),
      openWire,
      portMapper: boxMapper(machine, (below) => random.integer(below)),
      listen(port, handler) {
        if (machine.ports.has(port)) throw new Error(`port ${port} of ${machine.name} is taken`);
        machine.ports.set(port, handler);
        return { [Symbol.dispose]: () => void machine.ports.delete(port) };
      },
      down() {
        machine.isDown = true;
        return {
          [Symbol.dispose]: () => {
            machine.isDown = false;
          },
        };
      },
      reset() {
        const { broken } = machine;
        machine.broken = new AbortController();
        broken.abort();
      },
      move(address, into) {
        machine.address = address;
        if (into !== undefined) machine.box = into === "open" ? undefined : ofBox.get(into);
      },
    };
    ofHost.set(host, machine);
    return host;
  }

  function addHost({ address, names: own = [] }: HostOptions, box: Box | undefined): MemoryHost {
    const name = box ? `${box.address}/${address}` : address;
    const ports = new Map<number, Handler>();
    const machine: Machine = { name, address, box, isDown: false, ports, broken: new AbortController() };
    machines.push(machine);
    for (const one of own) names.set(one.toLowerCase(), machine);
    return hostOf(machine);
  }

  function addBox({ address, mapping = "endpoint-independent", hairpin = false }: NatOptions): NatBox {
    const box: Box = { address, mapping, hairpin, forwards: new Map() };
    boxes.push(box);
    const nat: NatBox = {
      get address() {
        return box.address;
      },
      host: (options) => addHost(options, box),
      forward(externalPort, host, port) {
        box.forwards.set(externalPort, { machine: machineOf(host), port });
        return { [Symbol.dispose]: () => void box.forwards.delete(externalPort) };
      },
      forget: () => box.forwards.clear(),
      move(to) {
        box.address = to;
      },
    };
    ofBox.set(nat, box);
    return nat;
  }

  function machineOf(host: MemoryHost): Machine {
    const machine = ofHost.get(host);
    if (!machine) throw new Error(`${host.name} is no host of this internet`);
    return machine;
  }

  return {
    ...faults,
    host: (options) => addHost(options, undefined),
    nat: addBox,
    name: (name, addresses) => void names.set(name.toLowerCase(), addresses),
    lookups: (name) => lookups.get(name) ?? 0,
    reaches(one, other) {
      const there = { from: one.name, to: other.name };
      const back = { from: other.name, to: one.name };
      return canPunch(machineOf(one), machineOf(other)) && !isCut(there) && !isCut(back);
    },
    areNear: (one, other) => machineOf(one).box === machineOf(other).box,
  };
}

/** A connection goes on only as long as both ends stand where they stood. @throws CONNECTION_LOST */
function requireStanding(before: Route, now: Route | undefined, broken: AbortSignal): void {
  const stands = now?.target === before.target && now.port === before.port;
  if (!stands || broken.aborted) throw netError("CONNECTION_LOST");
}

type Exchange = (request: OutboundRequest, signal: AbortSignal) => Promise<OutboundAnswer>;

function createMemoryWire(clock: Clock, exchange: Exchange): Wire {
  const closed = new AbortController();
  return {
    async request(request) {
      const stop = new AbortController();
      const done = new AbortController();
      const given = Promise.withResolvers<never>();
      given.promise.catch(() => undefined);
      const giveUp = (code: "TIMEOUT" | "ABORTED") => {
        const why = netError(code);
        stop.abort(why);
        given.reject(why);
      };
      // Cancelled when the exchange is over: a deadline would stay in the virtual clock's queue.
      clock.sleep(request.timeoutMs, done.signal).then(
        () => giveUp("TIMEOUT"),
        () => undefined,
      );
      const end = () => giveUp("ABORTED");
      const ends = [request.signal, closed.signal].filter((signal) => signal !== undefined);
      if (ends.some(({ aborted }) => aborted)) end();
      for (const signal of ends) signal.addEventListener("abort", end);
      try {
        stop.signal.throwIfAborted();
        return await Promise.race([
          followRedirects(request, (hop) => exchange(hop, stop.signal)),
          given.promise,
        ]);
      } catch (error) {
        throw error instanceof DarkMatterError ? error : netError("CONNECTION_LOST", undefined, error);
      } finally {
        done.abort(OVER);
        for (const signal of ends) signal.removeEventListener("abort", end);
      }
    },
    async close() {
      closed.abort();
    },
  };
}

function inbound(
  request: OutboundRequest,
  url: URL,
  remote: InboundRequest["remote"],
  signal: AbortSignal,
): InboundRequest {
  const { body = new Uint8Array() } = request;
  const bytes = typeof body === "string" ? utf8(body) : Uint8Array.from(body);
  const headers: Record<string, string> = { host: url.host };
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (/[\r\n\0]/.test(name + value)) throw netError("REQUEST_INVALID");
    headers[name.toLowerCase()] = value;
  }
  if (request.body !== undefined) headers["content-length"] = `${bytes.length}`;
  const { method } = request;
  return { method, path: url.pathname, query: url.search.slice(1), headers, body: bytes, remote, signal };
}

async function received(
  { status, headers, body }: HandlerResponse,
  maxBytes: number,
): Promise<OutboundAnswer> {
  const lowered = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const whole = typeof body === "string" ? utf8(body) : body;
  const pieces = whole instanceof Uint8Array ? oneOf(Uint8Array.from(whole)) : whole;
  return { status, headers: Object.fromEntries(lowered), body: await readBody(pieces, maxBytes) };
}

async function* oneOf<Item>(item: Item) {
  yield item;
}

/** What a server says for a handler that broke its promise not to reject. */
const unforeseen = (): HandlerResponse => ({ status: 500, headers: {}, body: "Internal Server Error" });
