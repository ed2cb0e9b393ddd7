import { DarkMatterError, SECOND_MS } from "@darkmatter/core";
import { netError } from "../errors.ts";
import { NAT_PMP_PORT } from "../port-mapping/nat-pmp.ts";
import type { MappingRequest, MappingTools } from "../port-mapping/request.ts";
import type { PortMapper, PortMapping } from "../port-mapping.ts";
import { gateways, privateAddresses } from "./gateways.ts";
import { mapByNatPmp } from "./nat-pmp-mapping.ts";
import { findGateways, mapByUpnp } from "./upnp-mapping.ts";

const SEARCH_MS = 1500;
const LIMIT_MS = 10 * SECOND_MS;
const [PORT_FROM, PORT_TO] = [30_000, 60_000];
const SSDP = { address: "239.255.255.250", port: 1900 };

/** What has a default is where routers really are; tests put theirs there. */
export type PortMapperOptions = Pick<MappingTools, "clock" | "random" | "wire"> & Partial<MappingTools>;

/** Asks the routers around for a port that leads here. */
export function createPortMapper(options: PortMapperOptions): PortMapper {
  const defaults = { ssdp: SSDP, addresses: privateAddresses, gateways, natPmpPort: NAT_PMP_PORT };
  const tools: MappingTools = { ...defaults, searchMs: SEARCH_MS, limitMs: LIMIT_MS, ...options };
  const nextPort = () => PORT_FROM + tools.random.integer(PORT_TO - PORT_FROM + 1);

  /** Each way in turn; one that fails is no reason not to try the next. */
  async function* ways(request: MappingRequest, signal: AbortSignal) {
    for (const gateway of tools.gateways()) yield () => mapByNatPmp(tools, gateway, request, signal);
    for (const gateway of await findGateways(tools, signal))
      yield () => mapByUpnp(tools, gateway, request, signal);
  }

  async function firstMapping(request: MappingRequest, signal: AbortSignal): Promise<PortMapping> {
    let last: unknown;
    for await (const way of ways(request, signal)) {
      const mapping = await way().catch((error: unknown) => {
        last = error;
        return undefined;
      });
      if (mapping) return mapping;
      signal.throwIfAborted();
    }
    throw netError("MAPPING_FAILED", undefined, last);
  }

  return {
    async map({ internalPort, description, externalPort = nextPort() }) {
      const signal = tools.clock.deadline(tools.limitMs);
      const request = { internalPort, description, externalPort, nextPort };
      try {
        return loud(await firstMapping(request, signal));
      } catch (error) {
        throw mappingFailed(error);
      }
    },
  };
}

/** However a router fails to keep a mapping, it is told in one way. */
function loud(mapping: PortMapping): PortMapping {
  return {
    ...mapping,
    async renew() {
      await mapping.renew().catch((error: unknown) => {
        throw mappingFailed(error);
      });
    },
  };
}

function mappingFailed(error: unknown): DarkMatterError {
  if (error instanceof DarkMatterError && error.code === "MAPPING_FAILED") return error;
  return netError("MAPPING_FAILED", undefined, error);
}
