import { reasonOf, SECOND_MS } from "@darkmatter/core";
import { addressClass, type PortMapping } from "@darkmatter/net";
import type { Peers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** The address the Internet sees us at, when none of ours is one: by the router, or by a service that tells. */
export interface PublicAddress {
  url(): string | undefined;
  /** The router lets callers in. */
  isMapped(): boolean;
  /** Asks anew for `port` of ours. Whether the URL differs from before. Never rejects. */
  detect(port: number): Promise<boolean>;
  /** It is not needed any more, or we listen to nobody. Whether there was one. */
  forget(): Promise<boolean>;
  close(): Promise<void>;
}

const SERVICE_TIMEOUT_MS = 5 * SECOND_MS;
const DESCRIPTION = "DarkMatter mesh";

/** Public ports are asked for from here on. */
const PUBLIC_PORT_FROM = 30_000;
const PUBLIC_PORTS = 30_000;

/** The same after each start: whoever heard our address still has it, even if both of us were away meanwhile. */
const usualPort = (agentId: string) =>
  PUBLIC_PORT_FROM + (Number.parseInt(agentId.slice(0, 8), 16) % PUBLIC_PORTS);

export function createPublicAddress(
  { config, portMapper, report, signer }: MeshPorts,
  peers: Peers,
): PublicAddress {
  let mapping: { readonly port: PortMapping; readonly internalPort: number } | undefined;
  let told: string | undefined;
  let complaint = "";
  const url = () => (mapping ? urlOf(mapping.port.externalAddress, mapping.port.externalPort) : told);

  /** What goes wrong every five minutes is said once. */
  function complain(event: string, error: unknown): void {
    const reason = reasonOf(error);
    if (complaint !== event + reason) report(event, { reason });
    complaint = event + reason;
  }

  async function unmap(): Promise<void> {
    const old = mapping;
    mapping = undefined;
    await old?.port.remove();
  }

  async function renewed(internalPort: number): Promise<boolean> {
    if (mapping?.internalPort !== internalPort) return false;
    try {
      await mapping.port.renew();
      return true;
    } catch (error) {
      complain("addresses.mapping-lost", error);
      mapping = undefined;
      return false;
    }
  }

  async function map(internalPort: number): Promise<void> {
    if (!config.portMapping || !portMapper || (await renewed(internalPort))) return;
    await unmap();
    try {
      const externalPort = usualPort(signer.agentId);
      const wish = { internalPort, description: DESCRIPTION, externalPort };
      mapping = { port: await portMapper.map(wish), internalPort };
    } catch (error) {
      complain("addresses.not-mapped", error);
    }
  }

  async function askService(port: number): Promise<string | undefined> {
    if (config.ipService === undefined) return undefined;
    const call = { url: config.ipService, timeoutMs: SERVICE_TIMEOUT_MS, reach: "private" } as const;
    try {
      const { status, body } = await peers.get(call);
      const isAddress = status === 200 && typeof body.ip === "string" && addressClass(body.ip) === "public";
      return isAddress ? urlOf(String(body.ip), port) : undefined;
    } catch (error) {
      complain("addresses.service-silent", error);
      return told;
    }
  }

  return {
    url,
    isMapped: () => mapping !== undefined,

    async detect(port) {
      const before = url();
      await map(port);
      told = mapping ? undefined : await askService(port);
      return url() !== before;
    },

    async forget() {
      const before = url();
      told = undefined;
      await unmap();
      return before !== undefined;
    },

    close: unmap,
  };
}

export const urlOf = (host: string, port: number) =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
