/** A port of the router that leads to one of ours. */
export interface PortMapping {
  readonly externalAddress: string;
  readonly externalPort: number;
  /** Who made it. */
  readonly by: "upnp" | "nat-pmp";
  /** Keeps it for another while. Rejects with MAPPING_FAILED when the router no longer has it. */
  renew(): Promise<void>;
  /** Never rejects. */
  remove(): Promise<void>;
}

export interface PortWish {
  readonly internalPort: number;
  readonly description: string;
  /** The public port asked for first; any by default. The router may give another. */
  readonly externalPort?: number | undefined;
}

/** Asking the router for a way in: UPnP IGD:1 and IGD:2, NAT-PMP. */
export interface PortMapper {
  /** Rejects with MAPPING_FAILED when no router gives one within 10 s, or what it gives is no public address. */
  map(wish: PortWish): Promise<PortMapping>;
}
