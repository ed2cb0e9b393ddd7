import { netError } from "../errors.ts";
import type { Multicast, MulticastGroup } from "../multicast.ts";

/** What one machine of a local network is, as far as datagrams go. */
export interface LanMachine {
  /** Its address now; `undefined` while it is off the network. */
  readonly address: () => string | undefined;
}

export interface MemoryLanOptions {
  /** Brings a datagram over; may do so later, twice or never. Default: in a turn of its own, once. */
  readonly carry?: (deliver: () => void, from: string, to: string) => void;
}

/** A local network in memory: what a machine of it sends to a group, the members on all others hear. */
export interface MemoryLan {
  multicastOf(machine: LanMachine): Multicast;
}

interface Membership {
  readonly machine: LanMachine;
  readonly group: MulticastGroup;
  readonly hear: (bytes: Uint8Array, from: string) => void;
}

export function memoryLan({ carry = nextTurn }: MemoryLanOptions = {}): MemoryLan {
  const members = new Set<Membership>();

  function send({ machine, group }: Membership, bytes: Uint8Array): void {
    const from = machine.address();
    if (from === undefined) throw netError("MULTICAST_FAILED");
    for (const member of [...members]) {
      const to = member.machine.address();
      if (member.machine === machine || !sameGroup(member.group, group) || to === undefined) continue;
      const copy = Uint8Array.from(bytes);
      carry(() => members.has(member) && member.hear(copy, from), from, to);
    }
  }

  return {
    multicastOf: (machine) => ({
      async join(group, heard) {
        if (machine.address() === undefined) throw netError("MULTICAST_FAILED");
        const { port } = group;
        const hear = (bytes: Uint8Array, address: string) => heard({ bytes, address, port });
        const member: Membership = { machine, group, hear };
        members.add(member);
        return {
          async send(bytes) {
            if (!members.has(member)) throw netError("MULTICAST_FAILED");
            send(member, bytes);
          },
          close: async () => void members.delete(member),
        };
      },
    }),
  };
}

const sameGroup = (one: MulticastGroup, other: MulticastGroup) =>
  one.address === other.address && one.port === other.port;

/** Never in the sender's own turn: no network delivers within it. */
function nextTurn(deliver: () => void): void {
  queueMicrotask(deliver);
}
