import type { Clock, Random } from "@darkmatter/core";
import type { Wire } from "../wire.ts";

/** A mapping that nobody renews is gone after this. */
export const LEASE_S = 3600;

/** What mapping a port stands on. */
export interface MappingTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly wire: Wire;
  /** Where gateways are looked for by UPnP. */
  readonly ssdp: { readonly address: string; readonly port: number };
  /** Our own addresses on networks that may have a gateway. */
  readonly addresses: () => readonly string[];
  /** Addresses that are asked by NAT-PMP, and the port. */
  readonly gateways: () => readonly string[];
  readonly natPmpPort: number;
  /** How long gateways get to answer a search. */
  readonly searchMs: number;
  /** For each act in all. */
  readonly limitMs: number;
}

export interface MappingRequest {
  readonly internalPort: number;
  readonly description: string;
  /** The first external port to try, and others. */
  readonly externalPort: number;
  readonly nextPort: () => number;
}
