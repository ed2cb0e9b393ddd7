import {
  DAY_MS,
  exceedsCodePoints,
  FRESH_WITHIN_MS,
  HOUR_MS,
  type Json,
  type JsonObject,
} from "@darkmatter/core";
import { meshError } from "../errors.ts";

export const CONTENT_CODE_POINTS_MAX = 65_536;
/** An unanswered message leaves the inbox after this. */
export const INBOX_LIFETIME_MS = HOUR_MS;
/** An answer is given up when its message came so long ago. */
export const ANSWER_LIFETIME_MS = DAY_MS;
/** Messages already read that are kept for an answer. */
export const INBOX_READ_MAX = 200;
export const SENT_MESSAGES_MAX = 100;
/**
 * Accepted ids are remembered for this long after the message's time or ours, and so many at most of agents we are not
 * connected to (mesh.md 3, replay).
 */
export const SEEN_IDS_MS = FRESH_WITHIN_MS;
export const SEEN_IDS_MAX = 10_000;
export const HOPS_DEFAULT = 10;
export const HOPS_MAX = 50;
/** What a list shows of a message's content. */
export const LISTED_CONTENT_CODE_POINTS = 200;

export type SentStatus = "active" | "responded" | "expired";

/** A message that waits for our agent. */
export interface InboxMessage {
  readonly messageId: string;
  readonly content: string;
  /** Where its sender is told what became of it, and answered. */
  readonly webhook: string;
  readonly hopsRemaining: number;
  readonly metadata: JsonObject;
  readonly from: string;
  /** Its signature was checked: always true for what this node took itself. */
  readonly verified: boolean;
  readonly receivedAtMs: number;
  readonly read: boolean;
}

/** A message of ours and what became of it. */
export interface SentMessage {
  readonly messageId: string;
  readonly content: string;
  readonly status: SentStatus;
  readonly initialHops: number;
  /** The agents it was meant for. */
  readonly targets: readonly string[];
  /** The agents that took it. */
  readonly routedTo: readonly string[];
  readonly createdAt: string;
  readonly webhook: string;
  /** As it was given to us; what is added for each target: `copies`. */
  readonly metadata: JsonObject;
  /** By target. */
  readonly copies: Readonly<Record<string, SentCopy>>;
}

/** What only one target of a message gets: the same however often it is brought there. */
export interface SentCopy {
  /** It is asked for receipts. */
  readonly receipts: boolean;
  /** The hash of our commit, for a target that keeps a ledger too. */
  readonly commit: string | null;
}

/** The metadata as one target gets it (mesh.md 22.2, 22.5); to old peers as it is. */
export function metadataFor(metadata: JsonObject, copy: SentCopy | undefined, self: string): JsonObject {
  if (!copy) return metadata;
  return {
    ...metadata,
    ...(copy.receipts && { receipts: 1, origin_agent_id: self }),
    ...(copy.commit !== null && { commit: copy.commit }),
  };
}

/** Metadata types that make a receiver act: refused without `dm_sig` from peers that can make one (mesh.md 22.1). */
const CONTROL_TYPES = new Set(["disconnect_announcement", "solana_payment", "antimatter_timeout_report"]);

export function isControl(metadata: JsonObject): boolean {
  return typeof metadata.type === "string" && CONTROL_TYPES.has(metadata.type);
}

/** Whether every text in a value can be signed and stored as it is: lone surrogates would become other text. */
function isWellFormed(value: Json): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner));
}

/** Refuses content that no receiver would take. Throws TOO_LARGE or BAD_REQUEST. */
export function requireSendable(content: string, metadata: JsonObject): void {
  if (exceedsCodePoints(content, CONTENT_CODE_POINTS_MAX)) {
    throw meshError("TOO_LARGE", `Content exceeds ${CONTENT_CODE_POINTS_MAX} characters.`);
  }
  if (!isWellFormed(content) || !isWellFormed(metadata)) {
    throw meshError("BAD_REQUEST", "Content and metadata must be well-formed Unicode.");
  }
}

export const isBroadcast = (metadata: JsonObject): boolean => metadata.type === "broadcast";

/** The content as a list shows it: its beginning, and an ellipsis where something is left out. */
export function listed(content: string): string {
  return exceedsCodePoints(content, LISTED_CONTENT_CODE_POINTS)
    ? `${Array.from(content).slice(0, LISTED_CONTENT_CODE_POINTS).join("")}…`
    : content;
}
