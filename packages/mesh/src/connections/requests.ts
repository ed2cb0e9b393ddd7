import { isoTime, newId, toHex } from "@darkmatter/core";
import { challengeText } from "@darkmatter/identity";
import { isLocalUrl } from "@darkmatter/net";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import { agentIdField, type Body, booleanField, requireFields, textField } from "../fields.ts";
import type { Identity } from "../identity/identity.ts";
import type { MeshPorts } from "../ports.ts";
import { type Caller, refuseForeignLoopback } from "./caller.ts";
import {
  CHALLENGE_LIFETIME_MS,
  type Connection,
  PENDING_REQUESTS_MAX,
  type PendingRequest,
} from "./connection.ts";
import { markVerified } from "./connections.store.ts";
import type { Connections } from "./connections.ts";
import { parsePeerDetails, writePeerDetails } from "./peer-details.ts";
import {
  closeChallenge,
  countRequests,
  deleteRequest,
  expireRequests,
  readRequest,
  readRequestOf,
  readRequests,
  saveRequest,
} from "./requests.store.ts";

/** Requests of others that wait for our agent, and the proof of who sent them (mesh.md 5.2, 6.2). */
export interface Requests {
  /** Answers a `connection_request`: connected at once, or queued with a challenge. */
  receive(
    tx: Write,
    body: Body,
    caller: Caller,
  ): Promise<{ answer: object; queued: PendingRequest | undefined }>;
  /** Checks a proof of key. Throws NOT_FOUND for unknown challenges, FORBIDDEN for bad or late proofs. */
  prove(tx: Write, proof: VerifiedProof): Promise<void>;
  /** Reads and verifies a `connection_proof` body; the signature is checked outside any transaction. */
  checkProof(tx: Read, body: Body): Promise<VerifiedProof>;
  pending(tx: Read): Promise<PendingRequest[]>;
  find(tx: Read, requestId: string): Promise<PendingRequest | undefined>;
  /** Turns a request into a connection. Of two acceptances one finds nothing. */
  accept(tx: Write, requestId: string): Promise<{ request: PendingRequest; connection: Connection }>;
  /** Drops a request without a word to the requester. */
  reject(tx: Write, requestId: string): Promise<PendingRequest>;
}

export interface VerifiedProof {
  readonly agentId: string;
  readonly challengeId: string;
  readonly valid: boolean;
}

const noRequest = (requestId: string) =>
  meshError("NOT_FOUND", `No pending request with ID '${requestId.slice(0, 64)}'`);

export function createRequests(ports: MeshPorts, identity: Identity, connections: Connections): Requests {
  const { clock, random, verifier, config, signer } = ports;

  async function queue(tx: Write, peer: ReturnType<typeof parsePeerDetails>, mutual: boolean) {
    await expireRequests(tx, clock.now() - config.requestExpiryMs);
    const before = await readRequestOf(tx, peer.agentId);
    if (!before && (await countRequests(tx)) >= PENDING_REQUESTS_MAX) {
      throw meshError("TOO_MANY", "Too many pending connection requests");
    }
    const request: PendingRequest = {
      // What a proven requester said of itself is not replaced by whoever repeats its request unproven.
      ...(before?.proven ? before : peer),
      requestId: before?.requestId ?? newId("req", random),
      mutual,
      requestedAtMs: clock.now(),
      challenge: { id: newId("ch", random), hex: toHex(random.bytes(32)), issuedAtMs: clock.now() },
      proven: before?.proven ?? false,
      peerTrust: before?.peerTrust ?? null,
    };
    await saveRequest(tx, request);
    return request;
  }

  return {
    pending: readRequests,
    find: readRequest,

    async receive(tx, body, caller) {
      const peer = parsePeerDetails(body, "request");
      const mutual = booleanField(body, "mutual");
      if (peer.agentId === signer.agentId) throw meshError("BAD_REQUEST", "Cannot connect to ourselves.");
      if (await connections.isBlocked(tx, peer.agentId)) throw meshError("FORBIDDEN", "Not accepted.");
      refuseForeignLoopback(peer.url, caller.loopback);

      const known = await connections.get(tx, peer.agentId);
      const welcome = isLocalUrl(peer.url) && caller.local && (await connections.hasRoom(tx));
      if (known || welcome) {
        // @NOTE a repeated request is unsigned: it completes what we lack and replaces nothing (S7). It brings no
        // wallet either: whoever names a peer would be paid in its place.
        await connections.open(tx, known ? { ...peer, wallets: {} } : peer, { identityVerified: false });
        const details = writePeerDetails(await identity.details(tx, peer.url), "acceptance");
        const message = known ? "Already connected." : "Auto-accepted (local network).";
        return { answer: { auto_accepted: true, ...details, message }, queued: undefined };
      }

      const request = await queue(tx, peer, mutual);
      return {
        answer: {
          auto_accepted: false,
          request_id: request.requestId,
          agent_id: signer.agentId,
          challenge_id: request.challenge?.id,
          challenge_hex: request.challenge?.hex,
          message: "Connection request queued. Awaiting agent decision. Prove identity with challenge.",
        },
        queued: request,
      };
    },

    async checkProof(tx, body) {
      requireFields(body, ["challenge_id", "proof_hex", "agent_id", "public_key_hex"]);
      const agentId = agentIdField(body, "agent_id") ?? "";
      const challengeId = textField(body, "challenge_id") ?? "";
      if (textField(body, "public_key_hex")?.toLowerCase() !== agentId) {
        throw meshError("BAD_REQUEST", "Public key must match agent_id");
      }
      const request = await readRequestOf(tx, agentId);
      const challenge = request?.challenge;
      if (!challenge || challenge.id !== challengeId) {
        throw meshError("NOT_FOUND", "No matching pending request for this challenge");
      }
      const fresh = clock.now() - challenge.issuedAtMs <= CHALLENGE_LIFETIME_MS;
      const proof = textField(body, "proof_hex") ?? "";
      const text = challengeText(challenge.hex);
      const valid = fresh && text !== undefined && (await verifier.verify(agentId, text, proof));
      return { agentId, challengeId, valid };
    },

    async prove(tx, { agentId, challengeId, valid }) {
      const request = await readRequestOf(tx, agentId);
      if (request?.challenge?.id !== challengeId) {
        throw meshError("NOT_FOUND", "No matching pending request for this challenge");
      }
      if (!valid) throw meshError("FORBIDDEN", "Invalid proof — identity verification failed");
      await closeChallenge(tx, request.requestId, true);
      await markVerified(tx, agentId);
    },

    async accept(tx, requestId) {
      const request = await readRequest(tx, requestId);
      if (!request) throw noRequest(requestId);
      if (!(await connections.get(tx, request.agentId)) && !(await connections.hasRoom(tx)))
        throw meshError("FULL");
      await deleteRequest(tx, requestId);
      const connection = await connections.open(tx, request, { identityVerified: request.proven });
      return { request, connection };
    },

    async reject(tx, requestId) {
      const request = await readRequest(tx, requestId);
      if (!request || !(await deleteRequest(tx, requestId))) throw noRequest(requestId);
      return request;
    },
  };
}

/** A request as agents and local programs are shown it. */
export function shownRequest(request: PendingRequest) {
  return {
    request_id: request.requestId,
    from_agent_id: request.agentId,
    from_agent_display_name: request.displayName,
    from_agent_url: request.url,
    from_agent_bio: request.bio,
    requested_at: isoTime(request.requestedAtMs),
  };
}
