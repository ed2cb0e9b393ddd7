import { isFresh, isoTime } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import {
  agentIdField,
  BIO_CODE_POINTS_MAX,
  type Body,
  cutField,
  lineField,
  NAME_CODE_POINTS_MAX,
  textField,
  textsField,
} from "../fields.ts";
import type { Identity } from "../identity/identity.ts";
import { inParallel, PARALLEL_CALLS_MAX, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { type Caller, refuseForeignLoopback } from "./caller.ts";
import { endpoint, type PeerUpdate } from "./connection.ts";
import { applyPeerUpdate } from "./connections.store.ts";
import type { Connections } from "./connections.ts";
import { validateAgentUrl } from "./peer-details.ts";

/** Telling peers what changed about us, and hearing it of them (mesh.md 5.4, 9.2). */
export interface PeerUpdates {
  /** Tells every connection; those that do not answer are left alone. */
  broadcast(): Promise<void>;
  /** Reads and verifies an update. Throws with the status of mesh.md 5.4. */
  check(tx: Read, body: Body, caller: Caller): Promise<PeerUpdate>;
  apply(tx: Write, update: PeerUpdate): Promise<void>;
}

export function createPeerUpdates(
  { db, clock, signer, verifier }: MeshPorts,
  identity: Identity,
  connections: Connections,
  peers: Peers,
): PeerUpdates {
  return {
    async broadcast() {
      const { bio, displayName } = await identity.profile(db);
      const newUrl = identity.base();
      const timestamp = isoTime(clock.now());
      const body = {
        agent_id: signer.agentId,
        new_url: newUrl,
        addresses: { http: newUrl },
        timestamp,
        bio,
        display_name: displayName,
        public_key_hex: signer.agentId,
        signature: signText(signer, peerUpdateText({ agentId: signer.agentId, newUrl, timestamp })),
      };
      await inParallel(await connections.all(db), PARALLEL_CALLS_MAX, async (peer) => {
        const url = endpoint(peer.url, "peer_update");
        await peers.post({ url, timeoutMs: TIMEOUT_MS.post, reach: "private" }, body).catch(() => undefined);
      });
    },

    async check(tx, body, caller) {
      const agentId = agentIdField(body, "agent_id");
      const newUrl = lineField(body, "new_url");
      if (!agentId || !newUrl) throw meshError("BAD_REQUEST", "Missing agent_id or new_url");
      const wrong = validateAgentUrl(newUrl);
      if (wrong) throw meshError("BAD_REQUEST", wrong);
      refuseForeignLoopback(newUrl, caller.loopback);
      const addresses = textsField(body, "addresses");
      const update = {
        agentId,
        url: newUrl,
        addresses: Object.keys(addresses).length > 0 ? addresses : { http: newUrl },
        bio: cutField(body, "bio", BIO_CODE_POINTS_MAX),
        displayName: cutField(body, "display_name", NAME_CODE_POINTS_MAX),
      };
      const timestamp = lineField(body, "timestamp") ?? "";
      const key = textField(body, "public_key_hex")?.toLowerCase();
      const signature = textField(body, "signature");

      if (!(await connections.get(tx, agentId))) throw meshError("NOT_FOUND", "Unknown agent");
      if (!signature) throw meshError("FORBIDDEN", "Signature required — known public key on file");
      if (!isFresh(timestamp, clock.now())) throw meshError("FORBIDDEN", "Timestamp expired");
      if (key !== undefined && key !== agentId) throw meshError("FORBIDDEN", "Public key mismatch");
      const text = peerUpdateText({ agentId, newUrl, timestamp });
      if (text === undefined || !(await verifier.verify(agentId, text, signature))) {
        throw meshError("FORBIDDEN", "Invalid signature");
      }
      return update;
    },

    apply: applyPeerUpdate,
  };
}
