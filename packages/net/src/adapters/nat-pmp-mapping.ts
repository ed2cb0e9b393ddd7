import { netError } from "../errors.ts";
import { isPublicAddress } from "../port-mapping/igd.ts";
import {
  addressAnswer,
  addressRequest,
  type MapAnswer,
  mapAnswer,
  mapRequest,
} from "../port-mapping/nat-pmp.ts";
import { LEASE_S, type MappingRequest, type MappingTools } from "../port-mapping/request.ts";
import type { PortMapping } from "../port-mapping.ts";
import { askByUdp } from "./udp-exchange.ts";

/** RFC 6886 3.1, given up early: a router on the same network answers within milliseconds. */
const WAITS_MS = [250, 500, 1000];

/** A mapping by NAT-PMP, or `undefined` where the gateway has none to give. */
export async function mapByNatPmp(
  tools: MappingTools,
  gateway: string,
  { internalPort, externalPort }: MappingRequest,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  async function ask<T>(
    packet: Uint8Array,
    read: (bytes: Uint8Array) => T | undefined,
    within: AbortSignal,
  ): Promise<T | undefined> {
    const to = { address: gateway, port: tools.natPmpPort };
    let answer: T | undefined;
    const { clock } = tools;
    await askByUdp({ to, packets: [packet], waitsMs: WAITS_MS, clock, signal: within }, (datagram) => {
      // Only the gateway's own word counts (RFC 6886 3.1).
      if (datagram.address !== to.address || datagram.port !== to.port) return false;
      answer = read(datagram.bytes);
      return answer !== undefined;
    });
    return answer;
  }

  const externalAddress = await ask(addressRequest(), addressAnswer, signal);
  if (externalAddress === undefined || !isPublicAddress(externalAddress)) return undefined;

  const map = async (port: number, within: AbortSignal): Promise<MapAnswer | undefined> => {
    const given = await ask(mapRequest(internalPort, port, LEASE_S), mapAnswer, within);
    const isOurs = given?.internalPort === internalPort && given.externalPort > 0 && given.lifetimeS > 0;
    return isOurs ? given : undefined;
  };
  const given = await map(externalPort, signal);
  if (!given) return undefined;

  return {
    externalAddress,
    externalPort: given.externalPort,
    by: "nat-pmp",
    async renew() {
      const within = tools.clock.deadline(tools.limitMs);
      const address = await ask(addressRequest(), addressAnswer, within);
      const again = address === externalAddress ? await map(given.externalPort, within) : undefined;
      if (again?.externalPort !== given.externalPort) throw netError("MAPPING_FAILED");
    },
    async remove() {
      const within = tools.clock.deadline(tools.limitMs);
      await ask(mapRequest(internalPort, 0, 0), mapAnswer, within).catch(() => undefined);
    },
  };
}
