import { newId } from "@darkmatter/core";
import type { Addresses } from "../addresses/addresses.ts";
import type { Connection } from "../connections/connection.ts";
import type { MeshPorts } from "../ports.ts";
import type { Deliverer } from "./deliver.ts";

/**
 * Tells a peer that we ended the connection: a complete signed message. The reference's own lacks webhook and
 * signature and is refused everywhere (mesh.md 6.1).
 */
export async function sayFarewell(
  { random }: MeshPorts,
  addresses: Addresses,
  deliverer: Deliverer,
  peer: Connection,
): Promise<void> {
  const messageId = newId("disconnect", random);
  const message = {
    messageId,
    content: "This agent has ended the connection.",
    webhook: addresses.webhookFor(peer, messageId),
    hopsRemaining: 0,
  };
  const metadata = { type: "disconnect_announcement" };
  await deliverer.deliver(message, { peer, metadata }, false);
}
