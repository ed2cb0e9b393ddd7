import { isoTime } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import { endCopiesTo } from "../messages/endings.ts";
import type { MeshPorts } from "../ports.ts";
import { type Connection, FEATURES_MAX, type PeerDetails } from "./connection.ts";
import {
  completeConnection,
  countConnections,
  deleteBlock,
  deleteConnection,
  insertBlock,
  insertConnection,
  isBlocked,
  isConnected,
  readConnection,
  readConnections,
} from "./connections.store.ts";
import { deleteRequestOf } from "./requests.store.ts";

/** Whom we talk with. */
export interface Connections {
  get(tx: Read, agentId: string): Promise<Connection | undefined>;
  /** Whether we are connected: many ask that know all the rest. */
  has(tx: Read, agentId: string): Promise<boolean>;
  /** In the order they were made. */
  all(tx: Read): Promise<Connection[]>;
  count(tx: Read): Promise<number>;
  hasRoom(tx: Read): Promise<boolean>;
  /**
   * Stores a connection, or completes the one there is.
   * `identityVerified`: the peer proved its key. Throws FULL when there is no room, FORBIDDEN for blocked agents.
   */
  open(tx: Write, peer: PeerDetails, proof: { identityVerified: boolean }): Promise<Connection>;
  /** Ends a connection; the impression stays. Whether there was one. */
  close(tx: Write, agentId: string, reason: string): Promise<boolean>;
  /** Ends what there is with an agent and refuses it from now on. */
  block(tx: Write, agentId: string): Promise<void>;
  unblock(tx: Write, agentId: string): Promise<boolean>;
  isBlocked(tx: Read, agentId: string): Promise<boolean>;
  /** Calls `listener` with the id of each agent we connected to, after the commit. */
  onOpened(listener: (agentId: string) => void): void;
}

/** Why a connection ended that the peer ended. */
export const ANNOUNCED = "announced by the peer";

export function createConnections({
  signer,
  clock,
  config,
  journal,
}: Pick<MeshPorts, "signer" | "clock" | "config" | "journal">): Connections {
  const opened: Array<(agentId: string) => void> = [];

  async function hasRoom(tx: Read): Promise<boolean> {
    return (await countConnections(tx)) < config.maxConnections;
  }

  async function close(tx: Write, agentId: string, reason: string): Promise<boolean> {
    const was = await deleteConnection(tx, agentId);
    if (was) {
      await endCopiesTo(tx, agentId, reason === ANNOUNCED, clock.now());
      await journal.append(tx, {
        act: "connection.closed",
        trace: agentId,
        peer: agentId,
        fields: { reason },
      });
    }
    return was;
  }

  return {
    get: readConnection,
    has: isConnected,
    all: readConnections,
    count: countConnections,
    hasRoom,
    close,
    isBlocked,
    unblock: deleteBlock,
    onOpened: (listener) => void opened.push(listener),

    async open(tx, peer, { identityVerified }) {
      if (peer.agentId === signer.agentId) throw meshError("BAD_REQUEST", "Cannot connect to ourselves.");
      if (await isBlocked(tx, peer.agentId)) throw meshError("FORBIDDEN", "This agent is blocked.");
      const known = await readConnection(tx, peer.agentId);
      if (known) {
        // Added to, never taken from: an unsigned request must not make us forget what a peer can sign (22.1).
        const features = [...new Set([...known.features, ...peer.features])].slice(0, FEATURES_MAX);
        await completeConnection(tx, { ...peer, features });
      } else {
        if (!(await hasRoom(tx))) throw meshError("FULL");
        await insertConnection(tx, fresh(peer, identityVerified, isoTime(clock.now())));
        await journal.append(tx, {
          act: "connection.opened",
          trace: peer.agentId,
          peer: peer.agentId,
          fields: { url: peer.url },
        });
        tx.afterCommit(() => {
          for (const listener of opened) listener(peer.agentId);
        });
      }
      await deleteRequestOf(tx, peer.agentId);
      const connection = await readConnection(tx, peer.agentId);
      if (!connection) throw meshError("NOT_CONNECTED");
      return connection;
    },

    async block(tx, agentId) {
      if (agentId === signer.agentId) throw meshError("BAD_REQUEST", "You cannot block yourself.");
      await insertBlock(tx, agentId, isoTime(clock.now()));
      await deleteRequestOf(tx, agentId);
      await close(tx, agentId, "blocked");
    },
  };
}

function fresh(peer: PeerDetails, identityVerified: boolean, connectedAt: string): Connection {
  return {
    agentId: peer.agentId,
    url: peer.url,
    bio: peer.bio,
    displayName: peer.displayName,
    publicKeyHex: peer.publicKeyHex,
    wallets: peer.wallets,
    addresses: {},
    peerCreatedAt: peer.createdAt,
    connectedAt,
    lastActivity: null,
    messagesSent: 0,
    messagesReceived: 0,
    messagesDeclined: 0,
    totalResponseTimeMs: 0,
    rateLimit: 0,
    identityVerified,
    features: peer.features,
    lanUrl: null,
  };
}
