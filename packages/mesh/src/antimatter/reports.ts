import { HOUR_MS } from "@darkmatter/core";
import { speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import type { Impressions } from "../impressions/impressions.ts";
import { deleteInbox } from "../messages/messages.store.ts";
import type { Sending } from "../messages/send.ts";
import type { OnStored, StoredMessage } from "../messages/stored.ts";
import type { MeshPorts } from "../ports.ts";
import { takeReport } from "./antimatter.store.ts";

/** What an agent loses that let a signal's time run out, and what it loses in the eyes of a peer told of it at most. */
export const TIMEOUT_LOSS = -0.05;
/** One report of an agent about another counts in this time: hearsay in bulk is no more than hearsay. */
const REPORT_EVERY_MS = HOUR_MS;
const REPORT_TYPE = "antimatter_timeout_report";
const REPORT_CONTENT =
  "An AntiMatter signal was not brought to its end in time. For your node; nothing to answer.";

/** Bookkeeping between nodes: no agent is woken for it, and none has to answer it. */
const isReport = ({ connected, metadata }: Pick<StoredMessage, "connected" | "metadata">): boolean =>
  connected && metadata.type === REPORT_TYPE;

/** Telling peers who let a signal's time run out, and weighing what they tell (mesh.md 13). */
export interface Reports {
  /** Tells the peers that understand it. */
  tell(signalId: string, accused: string, except: readonly string[]): Promise<void>;
  readonly onStored: OnStored;
}

export function createReports(
  { db, signer, clock }: Pick<MeshPorts, "db" | "signer" | "clock">,
  connections: Connections,
  impressions: Impressions,
  send: Sending["send"],
): Reports {
  return {
    async tell(signalId, accused, except) {
      const peers = (await connections.all(db)).filter(
        (peer) => speaks(peer, "antimatter/1") && peer.agentId !== accused && !except.includes(peer.agentId),
      );
      if (peers.length === 0) return;
      const metadata = { type: REPORT_TYPE, signal_id: signalId, agent_id: accused };
      const targets = peers.map(({ agentId }) => agentId);
      const message = { content: REPORT_CONTENT, metadata, hopsRemaining: 0, targets, trustMin: 0 };
      await send(message, `antimatter-report:${signalId}`);
    },

    onStored(tx, message) {
      if (!isReport(message)) return undefined;
      const { messageId, from, metadata, score } = message;
      const { agent_id: accused } = metadata;
      return (async () => {
        await deleteInbox(tx, messageId);
        // Whom we do not trust has no say, and nobody speaks of us, of itself, or of agents we do not know.
        if (score <= 0 || typeof accused !== "string" || accused === from) return;
        if (accused === signer.agentId || !(await connections.has(tx, accused))) return;
        const nowMs = clock.now();
        if (!(await takeReport(tx, from, accused, nowMs, nowMs - REPORT_EVERY_MS))) return;
        await impressions.nudge(tx, accused, TIMEOUT_LOSS * score);
      })();
    },
  };
}
