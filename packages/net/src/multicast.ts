/** A datagram as it came in. `address` is numeric, as the socket saw it. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly address: string;
  readonly port: number;
}

export interface MulticastGroup {
  /** Numeric address of the group. */
  readonly address: string;
  readonly port: number;
  /** How many routers a datagram may pass. */
  readonly ttl: number;
}

/** A membership of a multicast group on every interface of this machine. */
export interface MulticastMember {
  /** Sends to the whole group on every interface. Rejects with MULTICAST_FAILED when no interface took it. */
  send(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Talking to whoever listens on the local networks. What this machine sends does not come back to it. */
export interface Multicast {
  /** Rejects with MULTICAST_FAILED when the port cannot be shared or no interface can be joined. */
  join(group: MulticastGroup, heard: (datagram: Datagram) => void): Promise<MulticastMember>;
}
