import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { netError } from "../errors.ts";
import type { Datagram, Multicast, MulticastGroup, MulticastMember } from "../multicast.ts";

/** UDP multicast on every network of this machine. */
export function createMulticast(): Multicast {
  return { join };
}

async function join(group: MulticastGroup, heard: (datagram: Datagram) => void): Promise<MulticastMember> {
  const socket = await bound(group);
  let failure: Error | undefined;
  // Without a listener an error that no call waits for would end the process; the next send tells.
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("message", (bytes, { address, port }) => heard({ bytes, address, port }));
  if (joined(socket, group).length === 0) {
    await closed(socket);
    throw netError("MULTICAST_FAILED", "This machine is in no network.");
  }

  let isOpen = true;
  let sending: Promise<unknown> = Promise.resolve();

  async function sendNow(bytes: Uint8Array): Promise<void> {
    if (!isOpen) throw netError("MULTICAST_FAILED", "The group was left.");
    if (failure) throw netError("MULTICAST_FAILED", undefined, failure);
    // Networks come and go: joining anew at each send finds new ones, and costs one call for each of the others.
    let last: unknown;
    let taken = 0;
    for (const address of joined(socket, group)) {
      try {
        await sendFrom(socket, address, group, bytes);
        taken++;
      } catch (error) {
        last = error;
      }
    }
    if (taken === 0) throw netError("MULTICAST_FAILED", "No network took the datagram.", last);
  }

  return {
    // One after another: the network a socket sends on is a setting of the socket.
    send(bytes) {
      const sent = sending.then(() => sendNow(bytes));
      sending = sent.catch(() => undefined);
      return sent;
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await sending;
      await closed(socket);
    },
  };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

/** A socket that shares the group's port with other programs. @throws MULTICAST_FAILED */
async function bound({ port, ttl }: MulticastGroup): Promise<Socket> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ port, exclusive: true }, () => {
        socket.off("error", reject);
        resolve();
      });
    });
    socket.setMulticastTTL(ttl);
    socket.setMulticastLoopback(false);
    return socket;
  } catch (error) {
    socket.close();
    throw netError("MULTICAST_FAILED", undefined, error);
  }
}

/** The addresses of the networks where the group is joined now. */
function joined(socket: Socket, group: MulticastGroup): readonly string[] {
  const entries = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const own = entries.filter(({ family, internal }) => family === "IPv4" && !internal);
  return own.map(({ address }) => address).filter((address) => joins(socket, group, address));
}

function joins(socket: Socket, group: MulticastGroup, address: string): boolean {
  try {
    socket.addMembership(group.address, address);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A socket remembers networks that are gone, up to a number: then only another one helps.
    if (code === "ENOBUFS") throw netError("MULTICAST_FAILED", "Too many networks came and went.", error);
    // EADDRINUSE: it was joined before. Others: the network has just gone, or takes no multicast.
    return code === "EADDRINUSE";
  }
}

function sendFrom(socket: Socket, address: string, group: MulticastGroup, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setMulticastInterface(address);
    socket.send(bytes, group.port, group.address, (error) => (error ? reject(error) : resolve()));
  });
}
