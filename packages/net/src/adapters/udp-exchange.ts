import { createSocket } from "node:dgram";
import type { Clock } from "@darkmatter/core";
import type { Datagram } from "../multicast.ts";

export interface UdpQuestion {
  /** Our own address to ask from. */
  readonly from?: string;
  readonly to: { readonly address: string; readonly port: number };
  readonly packets: readonly Uint8Array[];
  /** The packets are sent anew before each of these waits; after the last one it is over. */
  readonly waitsMs: readonly number[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Asks by UDP and hands over what comes back until `hear` is satisfied or the time is over. Errors of the network end
 * it early: who does not answer may not be there.
 */
export async function askByUdp(question: UdpQuestion, hear: (datagram: Datagram) => boolean): Promise<void> {
  const { from, to, packets, waitsMs, clock, signal } = question;
  const socket = createSocket("udp4");
  const over = new AbortController();
  try {
    socket.on("error", () => over.abort());
    socket.on("message", (bytes, { address, port }) => {
      if (hear({ bytes, address, port })) over.abort();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ port: 0, ...(from !== undefined && { address: from }) }, resolve);
    });
    if (from !== undefined) socket.setMulticastInterface(from);
    for (const waitMs of waitsMs) {
      for (const packet of packets) socket.send(packet, to.port, to.address);
      await clock.sleep(waitMs, AbortSignal.any([signal, over.signal]));
    }
  } catch (error) {
    // Heard enough, or there is no such network; a caller that gives up is told so.
    if (signal.aborted) throw error;
  } finally {
    socket.close();
  }
}
