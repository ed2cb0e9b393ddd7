import { hasCode, type JsonObject } from "@darkmatter/core";
import { challengeText, signText } from "@darkmatter/identity";
import { baseUrl, isLoopbackUrl } from "@darkmatter/net";
import type { Write } from "@darkmatter/store";
import type { Anchors } from "../anchors/anchors.ts";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import type { Identity } from "../identity/identity.ts";
import { type Peers, refusalText, TIMEOUT_MS, unreachable } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { type Connection, endpoint, type PeerDetails } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { parsePeerDetails, validateAgentUrl, writePeerDetails } from "./peer-details.ts";
import { deleteOutbound, findOutbound, nameOutbound, saveOutbound } from "./requests.store.ts";

export type RequestOutcome =
  | { readonly kind: "connected"; readonly connection: Connection }
  | { readonly kind: "pending"; readonly requestId: string | null; readonly message: string };

/** Our side of getting connected: asking, proving, telling the requester, being told (mesh.md 6.1). */
export interface Handshake {
  /** Asks the agent at `targetUrl` to connect. Throws UNREACHABLE, or REFUSED with the target's words. */
  request(targetUrl: string, options: { mutual: boolean; signal?: AbortSignal }): Promise<RequestOutcome>;
  /** Tells a requester that it was accepted; `viaAnchor`: leaves word with an anchor where nobody is there. */
  announce(connection: Connection, viaAnchor: boolean): Promise<"told" | "refused" | "held" | "unreached">;
  /** Reads a `connection_accepted` and finds out, without a transaction, who may have sent it. */
  checkAcceptance(body: Body): Promise<Acceptance>;
  /** Consumes the outbound request an acceptance answers and stores the connection. */
  accepted(tx: Write, acceptance: Acceptance): Promise<Connection>;
}

export interface Acceptance {
  readonly peer: PeerDetails;
  readonly baseUrl: string;
}

/** An id of a peer that can be shown beside our own words. */
const PLAIN_ID = /^[\w.:-]{1,128}$/;

const notAsked = () => meshError("FORBIDDEN", "No pending outbound connection request for this agent.");

export function createHandshake(
  ports: MeshPorts,
  identity: Identity,
  connections: Connections,
  peers: Peers,
  anchors: Pick<Anchors, "leaveAcceptance">,
): Handshake {
  const { db, clock, signer } = ports;

  async function settle(base: string, answer: JsonObject): Promise<Connection> {
    const peer = parsePeerDetails(answer, "acceptance");
    // What we dialled reaches it; a loopback address it gives for itself may not.
    const url = isLoopbackUrl(peer.url) && !isLoopbackUrl(base) ? base : peer.url;
    return db.write(async (tx) => {
      await deleteOutbound(tx, base);
      return connections.open(tx, { ...peer, url }, { identityVerified: false });
    });
  }

  async function prove(base: string, answer: JsonObject, signal: AbortSignal | undefined): Promise<boolean> {
    const { challenge_id: id, challenge_hex: hex } = answer;
    if (typeof id !== "string" || typeof hex !== "string" || !/^[0-9a-fA-F]{1,256}$/.test(hex)) return false;
    const body = {
      challenge_id: id,
      proof_hex: signText(signer, challengeText(hex)),
      agent_id: signer.agentId,
      public_key_hex: signer.agentId,
    };
    const url = endpoint(base, "connection_proof");
    // @NOTE the outcome says nothing: nodes of the first generation answer 403 to every proof (mesh.md 6.2).
    await peers
      .post({ url, timeoutMs: TIMEOUT_MS.post, reach: "private", signal }, body)
      .catch(() => undefined);
    return true;
  }

  /** The id that answers at a base URL now, by its well-known document. */
  async function idAt(base: string): Promise<string | undefined> {
    const url = `${base}/.well-known/darkmatter.json`;
    const answer = await peers
      .get({ url, timeoutMs: TIMEOUT_MS.post, reach: "private" })
      .catch(() => undefined);
    const id = answer?.status === 200 ? answer.body.agent_id : undefined;
    return typeof id === "string" ? id : undefined;
  }

  return {
    async request(targetUrl, { mutual, signal }) {
      const wrong = validateAgentUrl(targetUrl);
      if (wrong) throw meshError("BAD_REQUEST", wrong);
      const base = baseUrl(targetUrl);
      if (base === baseUrl(identity.base())) throw meshError("BAD_REQUEST", "Cannot connect to ourselves.");
      const details = await identity.details(db, base);
      const body = {
        ...writePeerDetails({ ...details, url: baseUrl(details.url) }, "request"),
        ...(mutual && { mutual: true }),
      };
      // Remembered first: the acceptance may arrive before the answer.
      await db.write((tx) => saveOutbound(tx, { baseUrl: base, agentId: null, requestedAtMs: clock.now() }));

      const call = { url: endpoint(base, "connection_request"), timeoutMs: TIMEOUT_MS.connectionRequest };
      const answer = await peers
        .post({ ...call, reach: "private", signal }, body)
        .catch(async (error: unknown) => {
          await db.write((tx) => deleteOutbound(tx, base));
          throw unreachable(base, error);
        });
      if (answer.status >= 400) {
        await db.write((tx) => deleteOutbound(tx, base));
        throw meshError("REFUSED", `The target refused the request: ${refusalText(answer)}`);
      }
      if (answer.body.auto_accepted === true) {
        const connection = await settle(base, answer.body).catch(async (error: unknown) => {
          await db.write((tx) => deleteOutbound(tx, base));
          throw error;
        });
        return { kind: "connected", connection };
      }

      const { agent_id: agentId, request_id: requestId } = answer.body;
      if (typeof agentId === "string") await db.write((tx) => nameOutbound(tx, base, agentId.slice(0, 128)));
      const proven = await prove(base, answer.body, signal);
      const message = `Connection request sent. ${proven ? "Identity proof submitted. " : ""}Waiting for acceptance.`;
      return {
        kind: "pending",
        requestId: typeof requestId === "string" && PLAIN_ID.test(requestId) ? requestId : null,
        message,
      };
    },

    async announce(connection, viaAnchor) {
      const body = writePeerDetails(await identity.details(db, connection.url), "acceptance");
      const url = endpoint(connection.url, "connection_accepted");
      const call = { url, timeoutMs: TIMEOUT_MS.connectionRequest, reach: "private" } as const;
      try {
        const { status } = await peers.post(call, body);
        if (status === 429 || status >= 500) return "unreached";
        return status < 400 ? "told" : "refused";
      } catch (error) {
        if (hasCode(error, "ABORTED")) throw error;
        // Nobody is there, or nobody can call there: an anchor holds it (mesh.md 6.1).
        const isHeld = viaAnchor && (await anchors.leaveAcceptance(connection.agentId, body));
        return isHeld ? "held" : "unreached";
      }
    },

    async checkAcceptance(body) {
      const peer = parsePeerDetails(body, "acceptance");
      const outbound = await findOutbound(db, baseUrl(peer.url), peer.agentId);
      if (!outbound) throw notAsked();
      // Whoever knows the URL we asked could answer with a key of its own (S6): the id there must be the same.
      const expected = outbound.agentId ?? (await idAt(outbound.baseUrl));
      if (expected !== peer.agentId) throw notAsked();
      // Nobody signed the acceptance: where we asked is known to be the agent's, another address is not.
      const url = baseUrl(peer.url) === outbound.baseUrl ? peer.url : outbound.baseUrl;
      return { peer: { ...peer, url }, baseUrl: outbound.baseUrl };
    },

    async accepted(tx, { peer, baseUrl: base }) {
      if (!(await deleteOutbound(tx, base))) throw notAsked();
      return connections.open(tx, peer, { identityVerified: false });
    },
  };
}
