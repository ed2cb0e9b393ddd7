import { type Clock, DarkMatterError, type Random, utf8 } from "@darkmatter/core";
import { addressClass, bareHost, isAddressLiteral } from "../addresses.ts";
import { readBody } from "../body.ts";
import { netError } from "../errors.ts";
import { admitUrl, reachableAddresses } from "../guard.ts";
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
import { createFaults, type Faults } from "./faults.ts";

export interface MemoryHost {
  /** Its present address; the machine's name in faults is the first one it had. */
  readonly address: string;
  readonly name: string;
  readonly wire: Wire;
  /** Serves a port until disposed; a port taken throws. */
  listen(port: number, handler: Handler): Disposable;
  /** Off the network until disposed: its own loopback still works. */
  down(): Disposable;
  /** Gets another address, as a laptop does in another network; its names follow it. */
  move(address: string): void;
}

export interface MemoryInternet extends Faults {
  host(options: { readonly address: string; readonly names?: readonly string[] }): MemoryHost;
  /** What a name resolves to from now on. */
  name(name: string, addresses: readonly string[]): void;
  /** How often a name was looked up. */
  lookups(name: string): number;
}

interface Machine {
  readonly name: string;
  address: string;
  down: boolean;
  readonly ports: Map<number, Handler>;
}

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
  const { faults, connect, carry } = createFaults({ clock, random });

  function resolve(host: string): readonly string[] {
    if (isAddressLiteral(host)) return [host];
    lookups.set(host, (lookups.get(host) ?? 0) + 1);
    if (host === "localhost") return ["127.0.0.1"];
    const found = names.get(host);
    if (!found) throw netError("UNREACHABLE");
    return "ports" in found ? [found.address] : found;
  }

  function machineAt(address: string, caller: Machine): Machine | undefined {
    if (addressClass(address) === "loopback") return caller;
    const found = machines.find((machine) => machine.address === address);
    return found === caller || (found && !found.down && !caller.down) ? found : undefined;
  }

  async function exchange(
    caller: Machine,
    request: OutboundRequest,
    signal: AbortSignal,
  ): Promise<OutboundAnswer> {
    const url = admitUrl(request.url);
    const [address = ""] = reachableAddresses(resolve(bareHost(url.hostname)), request.reach);
    const target = machineAt(address, caller);
    if (!target) throw netError("UNREACHABLE");
    const way = { from: caller.name, to: target.name };
    await connect(way, signal);
    const handler = target.ports.get(Number(url.port) || (url.protocol === "https:" ? 443 : 80));
    if (!handler) throw netError("UNREACHABLE");
    await carry("request", way, signal);
    const loopback = addressClass(address) === "loopback";
    const remote = { address: loopback ? "127.0.0.1" : caller.address, loopback };
    const response = await handler(inbound(request, url, remote, signal)).catch(unforeseen);
    const answer = await received(response, request.maxBytes ?? ANSWER_BYTES_MAX);
    await carry("answer", way, signal);
    // Without this, a host that went down while handling would still answer.
    if (machineAt(address, caller) !== target) throw netError("CONNECTION_LOST");
    return answer;
  }

  function hostOf(machine: Machine): MemoryHost {
    return {
      name: machine.name,
      get address() {
        return machine.address;
      },
      wire: createMemoryWire(clock, (request, signal) => exchange(machine, request, signal)),
      listen(port, handler) {
        if (machine.ports.has(port)) throw new Error(`port ${port} of ${machine.name} is taken`);
        machine.ports.set(port, handler);
        return { [Symbol.dispose]: () => void machine.ports.delete(port) };
      },
      down() {
        machine.down = true;
        return {
          [Symbol.dispose]: () => {
            machine.down = false;
          },
        };
      },
      move(address) {
        machine.address = address;
      },
    };
  }

  return {
    ...faults,
    host({ address, names: own = [] }) {
      const machine: Machine = { name: address, address, down: false, ports: new Map() };
      machines.push(machine);
      for (const name of own) names.set(name.toLowerCase(), machine);
      return hostOf(machine);
    },
    name: (name, addresses) => void names.set(name.toLowerCase(), addresses),
    lookups: (name) => lookups.get(name) ?? 0,
  };
}

type Exchange = (request: OutboundRequest, signal: AbortSignal) => Promise<OutboundAnswer>;

function createMemoryWire(clock: Clock, exchange: Exchange): Wire {
  const closed = new AbortController();
  return {
    async request(request) {
      const stop = new AbortController();
      const done = new AbortController();
      const giveUp = (code: "TIMEOUT" | "ABORTED") => () => stop.abort(netError(code));
      // Cancelled when the exchange is over: a deadline would stay in the virtual clock's queue.
      clock.sleep(request.timeoutMs, done.signal).then(giveUp("TIMEOUT"), () => undefined);
      for (const signal of [request.signal, closed.signal]) {
        if (signal?.aborted) giveUp("ABORTED")();
        signal?.addEventListener("abort", giveUp("ABORTED"), { signal: done.signal });
      }
      try {
        stop.signal.throwIfAborted();
        const given = new Promise<never>((_resolve, reject) => {
          stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { signal: done.signal });
        });
        return await Promise.race([followRedirects(request, (hop) => exchange(hop, stop.signal)), given]);
      } catch (error) {
        throw error instanceof DarkMatterError ? error : netError("CONNECTION_LOST", undefined, error);
      } finally {
        done.abort();
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
