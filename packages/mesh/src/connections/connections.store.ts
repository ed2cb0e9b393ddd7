import type { Migration, Read, Write } from "@darkmatter/store";
import type { Connection, PeerDetails } from "./connection.ts";

export const connectionMigrations: readonly Migration[] = [
  {
    name: "mesh/002-connections",
    dialects: ["sqlite"],
    sql: [
      `CREATE TABLE mesh_connections (
         position INTEGER PRIMARY KEY,
         agent_id TEXT NOT NULL UNIQUE,
         url TEXT NOT NULL,
         bio TEXT NOT NULL,
         display_name TEXT,
         public_key_hex TEXT,
         wallets TEXT NOT NULL,
         addresses TEXT NOT NULL,
         peer_created_at TEXT,
         connected_at TEXT NOT NULL,
         last_activity TEXT,
         messages_sent INTEGER NOT NULL DEFAULT 0,
         messages_received INTEGER NOT NULL DEFAULT 0,
         messages_declined INTEGER NOT NULL DEFAULT 0,
         total_response_time_ms REAL NOT NULL DEFAULT 0,
         rate_limit INTEGER NOT NULL DEFAULT 0,
         identity_verified INTEGER NOT NULL DEFAULT 0,
         features TEXT NOT NULL DEFAULT '[]'
       )`,
      `CREATE TABLE mesh_requests (
         request_id TEXT PRIMARY KEY,
         agent_id TEXT NOT NULL UNIQUE,
         details TEXT NOT NULL,
         mutual INTEGER NOT NULL,
         requested_at_ms INTEGER NOT NULL,
         challenge_id TEXT,
         challenge_hex TEXT,
         challenge_at_ms INTEGER,
         proven INTEGER NOT NULL DEFAULT 0,
         peer_trust TEXT
       )`,
      `CREATE TABLE mesh_outbound_requests (
         base_url TEXT PRIMARY KEY,
         agent_id TEXT,
         requested_at_ms INTEGER NOT NULL
       )`,
      "CREATE TABLE mesh_blocks (agent_id TEXT PRIMARY KEY, blocked_at TEXT NOT NULL)",
    ],
  },
];

type ConnectionRow = {
  agent_id: string;
  url: string;
  bio: string;
  display_name: string | null;
  public_key_hex: string | null;
  wallets: string;
  addresses: string;
  peer_created_at: string | null;
  connected_at: string;
  last_activity: string | null;
  messages_sent: number;
  messages_received: number;
  messages_declined: number;
  total_response_time_ms: number;
  rate_limit: number;
  identity_verified: number;
  features: string;
  lan_url: string | null;
};

const fromRow = (row: ConnectionRow): Connection => ({
  agentId: row.agent_id,
  url: row.url,
  bio: row.bio,
  displayName: row.display_name,
  publicKeyHex: row.public_key_hex,
  wallets: JSON.parse(row.wallets) as Record<string, string>,
  addresses: JSON.parse(row.addresses) as Record<string, string>,
  peerCreatedAt: row.peer_created_at,
  connectedAt: row.connected_at,
  lastActivity: row.last_activity,
  messagesSent: row.messages_sent,
  messagesReceived: row.messages_received,
  messagesDeclined: row.messages_declined,
  totalResponseTimeMs: row.total_response_time_ms,
  rateLimit: row.rate_limit,
  identityVerified: row.identity_verified === 1,
  features: JSON.parse(row.features) as string[],
  lanUrl: row.lan_url,
});

export async function readConnection(tx: Read, agentId: string): Promise<Connection | undefined> {
  const row = await tx.get<ConnectionRow>("SELECT * FROM mesh_connections WHERE agent_id = ?", agentId);
  return row && fromRow(row);
}

/** Whether we are connected, without reading the rest. */
export async function isConnected(tx: Read, agentId: string): Promise<boolean> {
  return (await tx.get("SELECT 1 AS yes FROM mesh_connections WHERE agent_id = ?", agentId)) !== undefined;
}

/** What a message's checks need of a connection, without reading the rest. */
export interface Standing {
  readonly publicKeyHex: string | null;
  readonly rateLimit: number;
  readonly features: string;
  readonly score: number;
}

/** The sender of a message, as one read: its connection, if any, our score of it, and whether it is blocked. */
export async function readStanding(
  tx: Read,
  agentId: string,
): Promise<{ connection: Standing | undefined; score: number; blocked: boolean }> {
  const row = await tx.get<{
    connected: string | null;
    public_key_hex: string | null;
    rate_limit: number | null;
    features: string | null;
    score: number | null;
    blocked: number;
  }>(
    `SELECT c.agent_id AS connected, c.public_key_hex, c.rate_limit, c.features, i.score,
       EXISTS (SELECT 1 FROM mesh_blocks b WHERE b.agent_id = a.id) AS blocked
     FROM (SELECT ? AS id) a
     LEFT JOIN mesh_connections c ON c.agent_id = a.id
     LEFT JOIN mesh_impressions i ON i.about = a.id`,
    agentId,
  );
  const score = row?.score ?? 0;
  if (!row?.connected) return { connection: undefined, score, blocked: row?.blocked === 1 };
  return {
    connection: {
      publicKeyHex: row.public_key_hex,
      rateLimit: row.rate_limit ?? 0,
      features: row.features ?? "[]",
      score,
    },
    score,
    blocked: row.blocked === 1,
  };
}

/** All connections, in the order they were made. */
export async function readConnections(tx: Read): Promise<Connection[]> {
  return (await tx.all<ConnectionRow>("SELECT * FROM mesh_connections ORDER BY position")).map(fromRow);
}

export async function countConnections(tx: Read): Promise<number> {
  return (await tx.get<{ n: number }>("SELECT count(*) AS n FROM mesh_connections"))?.n ?? 0;
}

export async function insertConnection(tx: Write, connection: Connection): Promise<void> {
  await tx.run(
    `INSERT INTO mesh_connections
       (agent_id, url, bio, display_name, public_key_hex, wallets, addresses, peer_created_at, connected_at,
        last_activity, messages_sent, messages_received, messages_declined, total_response_time_ms, rate_limit,
        identity_verified, features)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    connection.agentId,
    connection.url,
    connection.bio,
    connection.displayName,
    connection.publicKeyHex,
    JSON.stringify(connection.wallets),
    JSON.stringify(connection.addresses),
    connection.peerCreatedAt,
    connection.connectedAt,
    connection.lastActivity,
    connection.messagesSent,
    connection.messagesReceived,
    connection.messagesDeclined,
    connection.totalResponseTimeMs,
    connection.rateLimit,
    connection.identityVerified ? 1 : 0,
    JSON.stringify(connection.features),
  );
}

/** Fills in what we did not know yet; never replaces a key, a name or a URL (mesh.md S7). */
export async function completeConnection(tx: Write, peer: PeerDetails): Promise<void> {
  await tx.run(
    `UPDATE mesh_connections SET
       public_key_hex = coalesce(public_key_hex, ?),
       display_name = coalesce(display_name, ?),
       wallets = CASE WHEN wallets = '{}' THEN ? ELSE wallets END,
       features = ?
     WHERE agent_id = ?`,
    peer.publicKeyHex,
    peer.displayName,
    JSON.stringify(peer.wallets),
    JSON.stringify(peer.features),
    peer.agentId,
  );
}

export async function deleteConnection(tx: Write, agentId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_connections WHERE agent_id = ?", agentId)) > 0;
}

/** Counts an accepted message and pins the key it was signed with. */
export async function countReceived(tx: Write, agentId: string, keyHex: string, at: string): Promise<void> {
  await tx.run(
    `UPDATE mesh_connections SET messages_received = messages_received + 1, last_activity = ?,
       public_key_hex = coalesce(public_key_hex, ?), identity_verified = 1
     WHERE agent_id = ?`,
    at,
    keyHex,
    agentId,
  );
}

export async function countSent(tx: Write, agentId: string, at: string): Promise<void> {
  await tx.run(
    "UPDATE mesh_connections SET messages_sent = messages_sent + 1, last_activity = ? WHERE agent_id = ?",
    at,
    agentId,
  );
}

export async function countDeclined(tx: Write, agentId: string): Promise<void> {
  await tx.run(
    "UPDATE mesh_connections SET messages_declined = messages_declined + 1 WHERE agent_id = ?",
    agentId,
  );
}

export async function addResponseTime(tx: Write, agentId: string, durationMs: number): Promise<void> {
  await tx.run(
    "UPDATE mesh_connections SET total_response_time_ms = total_response_time_ms + ? WHERE agent_id = ?",
    durationMs,
    agentId,
  );
}

export async function markVerified(tx: Write, agentId: string): Promise<void> {
  await tx.run("UPDATE mesh_connections SET identity_verified = 1 WHERE agent_id = ?", agentId);
}

export async function setConnectionRate(tx: Write, agentId: string, limit: number): Promise<boolean> {
  return (await tx.run("UPDATE mesh_connections SET rate_limit = ? WHERE agent_id = ?", limit, agentId)) > 0;
}

export async function insertBlock(tx: Write, agentId: string, at: string): Promise<void> {
  await tx.run(
    "INSERT INTO mesh_blocks (agent_id, blocked_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
    agentId,
    at,
  );
}

export async function deleteBlock(tx: Write, agentId: string): Promise<boolean> {
  return (await tx.run("DELETE FROM mesh_blocks WHERE agent_id = ?", agentId)) > 0;
}

export async function isBlocked(tx: Read, agentId: string): Promise<boolean> {
  return (await tx.get("SELECT 1 AS yes FROM mesh_blocks WHERE agent_id = ?", agentId)) !== undefined;
}
