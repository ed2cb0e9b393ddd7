import { isoTime } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import type { Identity } from "../identity/identity.ts";
import type { MeshPorts } from "../ports.ts";

/** Where and who we are, signed, as anchors are told it (mesh.md 5.4). */
export async function announcement(
  { db, clock, signer }: Pick<MeshPorts, "db" | "clock" | "signer">,
  identity: Identity,
): Promise<object> {
  const { bio, displayName } = await identity.profile(db);
  const newUrl = identity.base();
  const timestamp = isoTime(clock.now());
  return {
    agent_id: signer.agentId,
    new_url: newUrl,
    addresses: { http: newUrl, anchor_relay: "anchor-relay" },
    timestamp,
    bio,
    display_name: displayName,
    public_key_hex: signer.agentId,
    signature: signText(signer, peerUpdateText({ agentId: signer.agentId, newUrl, timestamp })),
  };
}
