import type { JsonObject } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { OutboundRequest, PeerDetails, PendingRequest } from "./connection.ts";

type RequestRow = {
  request_id: string;
  details: string;
  mutual: number;
  requested_at_ms: number;
  challenge_id: string | null;
  challenge_hex: string | null;
  challenge_at_ms: number | null;
  proven: number;
  peer_trust: string | null;
};

const fromRow = (row: RequestRow): PendingRequest => ({
  ...(JSON.parse(row.details) as PeerDetails),
  requestId: row.request_id,
  mutual: row.mutual === 1,
  requestedAtMs: row.requested_at_ms,
  challenge:
    row.challenge_id === null
      ? null
      : { id: row.challenge_id, hex: row.challenge_hex ?? "", issuedAtMs: row.challenge_at_ms ?? 0 },
  proven: row.proven === 1,
  peerTrust: row.peer_trust === null ? null : (JSON.parse(row.peer_trust) as JsonObject),
});

export async function readRequest(tx: Read, requestId: string): Promise<PendingRequest | undefined> {
  const row = await tx.get<RequestRow>("SELECT * FROM mesh_requests WHERE request_id = ?", requestId);
  return row && fromRow(row);
}

export async function readRequestOf(tx: Read, agentId: string): Promise<PendingRequest | undefined> {
  const row = await tx.get<RequestRow>("SELECT * FROM mesh_requests WHERE agent_id = ?", agentId);
  return row && fromRow(row);
}

/** All pending requests, oldest first. */
export async function readRequests(tx: Read): Promise<PendingRequest[]> {
  return (await tx.all<RequestRow>("SELECT * FROM mesh_requests ORDER BY requested_at_ms, rowid")).map(
    fromRow,
  );
}

export async function countRequests(tx: Read): Promise<number> {
  return (await tx.get<{ n: number }>("SELECT count(*) AS n FROM mesh_requests"))?.n ?? 0;
}

export async function saveRequest(tx: Write, request: PendingRequest): Promise<void> {
  const { requestId, mutual, requestedAtMs, challenge, proven, peerTrust, ...details } = request;
  await tx.run(
    `INSERT INTO mesh_requests
       (request_id, agent_id, details, mutual, requested_at_ms, challenge_id, challenge_hex, challenge_at_ms,
        proven, peer_trust)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (agent_id) DO UPDATE SET details = excluded.details, mutual = excluded.mutual,
       requested_at_ms = excluded.requested_at_ms, challenge_id = excluded.challenge_id,
       challenge_hex = excluded.challenge_hex, challenge_at_ms = excluded.challenge_at_ms,
       proven = excluded.proven, peer_trust = coalesce(excluded.peer_trust, mesh_requests.peer_trust)`,
    requestId,
    request.agentId,
    JSON.stringify(details),
    mutual ? 1 : 0,
    requestedAtMs,
    challenge?.id ?? null,
    challenge?.hex ?? null,
    challenge?.issuedAtMs ?? null,
    proven ? 1 : 0,
    peerTrust === null ? null : JSON.stringify(peerTrust),
  );
}

/** Takes a request away; whether it was there, so that of two acceptances only one acts. */
export async function deleteRequest(tx: Write, requestId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_requests WHERE request_id = ?", requestId)) > 0;
}

export async function deleteRequestOf(tx: Write, agentId: string): Promise<void> {
  await tx.run("DELETE FROM mesh_requests WHERE agent_id = ?", agentId);
}

/** Drops requests, in and out, made before `beforeMs`; how many. */
export async function expireRequests(tx: Write, beforeMs: number): Promise<number> {
  const inbound = await tx.run("DELETE FROM mesh_requests WHERE requested_at_ms < ?", beforeMs);
  return inbound + (await tx.run("DELETE FROM mesh_outbound_requests WHERE requested_at_ms < ?", beforeMs));
}

/** Spends the challenge: a second proof with it finds nothing. */
export async function closeChallenge(tx: Write, requestId: string, proven: boolean): Promise<void> {
  await tx.run(
    `UPDATE mesh_requests SET challenge_id = NULL, challenge_hex = NULL, challenge_at_ms = NULL, proven = ?
     WHERE request_id = ?`,
    proven ? 1 : 0,
    requestId,
  );
}

export async function setPeerTrust(tx: Write, requestId: string, peerTrust: JsonObject): Promise<void> {
  await tx.run(
    "UPDATE mesh_requests SET peer_trust = ? WHERE request_id = ?",
    JSON.stringify(peerTrust),
    requestId,
  );
}

type OutboundRow = { base_url: string; agent_id: string | null; requested_at_ms: number };

const fromOutboundRow = (row: OutboundRow): OutboundRequest => ({
  baseUrl: row.base_url,
  agentId: row.agent_id,
  requestedAtMs: row.requested_at_ms,
});

export async function saveOutbound(tx: Write, request: OutboundRequest): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_outbound_requests (base_url, agent_id, requested_at_ms) VALUES (?, ?, ?)
     ON CONFLICT (base_url) DO UPDATE SET agent_id = coalesce(excluded.agent_id, mesh_outbound_requests.agent_id),
       requested_at_ms = excluded.requested_at_ms`,
    request.baseUrl,
    request.agentId,
    request.requestedAtMs,
  );
}

/** Notes who answered at a base URL, unless the request was settled meanwhile. */
export async function nameOutbound(tx: Write, baseUrl: string, agentId: string): Promise<void> {
  await tx.run("UPDATE mesh_outbound_requests SET agent_id = ? WHERE base_url = ?", agentId, baseUrl);
}

export async function findOutbound(
  tx: Read,
  baseUrl: string,
  agentId: string,
): Promise<OutboundRequest | undefined> {
  const row = await tx.get<OutboundRow>(
    `SELECT * FROM mesh_outbound_requests WHERE base_url = ? OR agent_id = ?
     ORDER BY agent_id IS NOT ? LIMIT 1`,
    baseUrl,
    agentId,
    agentId,
  );
  return row && fromOutboundRow(row);
}

/** Whether it was there, so that an acceptance consumes it once. */
export async function deleteOutbound(tx: Write, baseUrl: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_outbound_requests WHERE base_url = ?", baseUrl)) > 0;
}
