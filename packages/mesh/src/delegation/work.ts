import type { PendingRequest } from "../connections/connection.ts";
import type { StoredMessage } from "../messages/stored.ts";
import { agentOrNull } from "../receipts/receipt.ts";

/** A message a helper is to answer. */
export type MessageWork = {
  readonly kind: "message";
  readonly message: Pick<StoredMessage, "messageId" | "from" | "content">;
};

/** A connection request a helper is to decide about. */
export type RequestWork = {
  readonly kind: "request";
  readonly request: Pick<PendingRequest, "requestId" | "agentId" | "displayName" | "bio" | "proven">;
};

/** What one helper is started for. */
export type Work = MessageWork | RequestWork;

/** The message id or request id; what makes it the same work. */
export const subjectOf = (work: Work): string =>
  work.kind === "message" ? work.message.messageId : work.request.requestId;

/** The agent whose words the helper will read. */
export const peerOf = (work: Work): string =>
  work.kind === "message" ? work.message.from : work.request.agentId;

/** Why a helper is not started for work; the first four may pass, and the work is then taken up by itself. */
export type Refusal =
  | "all places are taken"
  | "enough were started this hour"
  | "the requester has not proven its key"
  | "this node is there for one command only"
  | "helpers are off"
  | "the peer is not trusted enough"
  | "it was handed before"
  | "the client's command is not there"
  | "helpers cannot be started here";

export type Handed =
  | { readonly kind: "handed"; readonly delegationId: string; readonly why: undefined }
  | { readonly kind: "waiting"; readonly why: Refusal }
  | { readonly kind: "refused"; readonly why: Refusal };

export type DelegationState = "granted" | "running" | "ended";

/** One hand-over of work to a helper; its row stays, so that no work is ever handed twice. */
export interface Delegation {
  /** `dg-` + 12 hex. */
  readonly id: string;
  readonly kind: Work["kind"];
  /** Message id or request id. */
  readonly subject: string;
  readonly peer: string;
  readonly state: DelegationState;
  /** The helper's key: what it does is signed with it, beside the passport. */
  readonly publicKey: string;
  readonly grantedAtMs: number;
  readonly notAfterMs: number;
  readonly pid: number | null;
  readonly endedAtMs: number | null;
  /** How it ended: `done`, `failed`, `stopped`, `out of time`, `never started`, `node stopped`. */
  readonly outcome: string | null;
}

/** Where a delegation stands in the ledger: with its message, or with the agent that asks. */
export const placeOf = ({ kind, subject, peer }: Pick<Delegation, "kind" | "subject" | "peer">) =>
  kind === "message"
    ? { trace: subject, peer: agentOrNull(peer), messageId: subject }
    : { trace: peer, peer };
