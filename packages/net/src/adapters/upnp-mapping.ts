import { addressClass } from "../addresses.ts";
import { netError } from "../errors.ts";
import {
  IGD_TARGETS,
  type IgdService,
  isPublicAddress,
  locationOf,
  searchText,
  servicesOf,
  soapBody,
  soapFields,
} from "../port-mapping/igd.ts";
import { LEASE_S, type MappingRequest, type MappingTools } from "../port-mapping/request.ts";
import type { PortMapping } from "../port-mapping.ts";
import { askByUdp } from "./udp-exchange.ts";

const CALL_MS = 2500;
const DOCUMENT_BYTES_MAX = 64 * 1024;
const GATEWAYS_MAX = 4;
const PORTS_TRIED = 5;

/** Error codes of WANIPConnection. */
const PORT_TAKEN = "718";
const ONLY_PERMANENT = "725";
const NO_SUCH_ENTRY = "714";

export interface Gateway {
  /** Where it describes itself: at the address it answered from. */
  readonly location: string;
  /** Our own address on its network. */
  readonly own: string;
}

/** The gateways that answer in time. */
export async function findGateways(tools: MappingTools, signal: AbortSignal): Promise<readonly Gateway[]> {
  const { ssdp, clock, searchMs } = tools;
  const host = `${ssdp.address}:${ssdp.port}`;
  const packets = IGD_TARGETS.map((target) => Buffer.from(searchText(target, host)));
  const found = new Map<string, Gateway>();
  const search = (own: string) =>
    askByUdp({ from: own, to: ssdp, packets, waitsMs: [searchMs], clock, signal }, ({ bytes, address }) => {
      const isNear = addressClass(address) === "private" || addressClass(ssdp.address) === "loopback";
      const location = isNear ? locationOf(Buffer.from(bytes).toString("latin1"), address) : undefined;
      if (location !== undefined && found.size < GATEWAYS_MAX) found.set(location, { location, own });
      return false;
    });
  await Promise.all(tools.addresses().map(search));
  return [...found.values()];
}

/** A mapping by UPnP, or `undefined` where the gateway has none to give. Rejects when it cannot be spoken with. */
export async function mapByUpnp(
  tools: MappingTools,
  { location, own }: Gateway,
  request: MappingRequest,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const call = { method: "GET", timeoutMs: CALL_MS, reach: "private", maxBytes: DOCUMENT_BYTES_MAX } as const;
  const { status, body } = await tools.wire.request({ ...call, url: location, signal });
  if (status !== 200) return undefined;
  for (const service of servicesOf(new TextDecoder().decode(body), location)) {
    const mapping = await mapAt(connectionTo(tools, service), own, request, tools, signal);
    if (mapping) return mapping;
  }
  return undefined;
}

type Call = (
  action: string,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<{ readonly isDone: boolean; field(name: string): string }>;

function connectionTo({ wire }: MappingTools, service: IgdService): Call {
  return async (action, fields, signal) => {
    const { status, body } = await wire.request({
      method: "POST",
      url: service.controlUrl,
      headers: { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${service.type}#${action}"` },
      body: soapBody(service, action, fields),
      timeoutMs: CALL_MS,
      reach: "private",
      maxBytes: DOCUMENT_BYTES_MAX,
      signal,
    });
    const said = soapFields(new TextDecoder().decode(body));
    return { isDone: status === 200, field: (name) => said.get(name) ?? "" };
  };
}

async function mapAt(
  call: Call,
  own: string,
  { internalPort, description, nextPort, externalPort: first }: MappingRequest,
  tools: MappingTools,
  signal: AbortSignal,
): Promise<PortMapping | undefined> {
  const addressOf = async (within: AbortSignal) =>
    (await call("GetExternalIPAddress", {}, within)).field("NewExternalIPAddress");
  const externalAddress = await addressOf(signal);
  if (!isPublicAddress(externalAddress)) return undefined;

  const entry = (port: number) => ({
    NewRemoteHost: "",
    NewExternalPort: `${port}`,
    NewProtocol: "TCP",
  });
  const add = (port: number, leaseS: number, within: AbortSignal) =>
    call(
      "AddPortMapping",
      {
        ...entry(port),
        NewInternalPort: `${internalPort}`,
        NewInternalClient: own,
        NewEnabled: "1",
        NewPortMappingDescription: description,
        NewLeaseDuration: `${leaseS}`,
      },
      within,
    );
  /** Whether the gateway itself says that the port leads here; some do not answer that question. */
  async function leadsHere(port: number, within: AbortSignal): Promise<boolean> {
    const said = await call("GetSpecificPortMappingEntry", entry(port), within);
    if (!said.isDone) return said.field("errorCode") !== NO_SUCH_ENTRY;
    return said.field("NewInternalClient") === own && said.field("NewInternalPort") === `${internalPort}`;
  }
  async function open(port: number, within: AbortSignal): Promise<"open" | "taken" | "refused"> {
    let added = await add(port, LEASE_S, within);
    if (added.field("errorCode") === ONLY_PERMANENT) added = await add(port, 0, within);
    if (!added.isDone) return added.field("errorCode") === PORT_TAKEN ? "taken" : "refused";
    if (await leadsHere(port, within)) return "open";
    await call("DeletePortMapping", entry(port), within);
    return "refused";
  }

  for (let tries = 0, externalPort = first; tries < PORTS_TRIED; tries++, externalPort = nextPort()) {
    const outcome = await open(externalPort, signal);
    if (outcome === "taken") continue;
    if (outcome === "refused") return undefined;
    return {
      externalAddress,
      externalPort,
      by: "upnp",
      async renew() {
        const within = tools.clock.deadline(tools.limitMs);
        const isSame = (await addressOf(within)) === externalAddress;
        if (!isSame || (await open(externalPort, within)) !== "open") throw netError("MAPPING_FAILED");
      },
      async remove() {
        const within = tools.clock.deadline(tools.limitMs);
        await call("DeletePortMapping", entry(externalPort), within).catch(() => undefined);
      },
    };
  }
  return undefined;
}
