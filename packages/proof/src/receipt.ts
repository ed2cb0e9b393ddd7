import { type ExactJson, exceedsCodePoints, type Json, parseTime, sha256Hex } from "@darkmatter/core";
import { isHash, isSignature } from "./forms.ts";
import { type Form, hasOnly, membersOf, orNull, shaped } from "./members.ts";
import type { VerifySignature } from "./signatures.ts";
import { joinedLines } from "./signed-lines.ts";

/** The rungs of the delivery ladder that a receiver signs (mesh.md 22.2), in the order they are reached. */
export const RUNGS = ["stored", "asked", "woken", "read", "acted", "refused", "expired"] as const;
export type Rung = (typeof RUNGS)[number];

/** A receipt as it travels. */
export interface Receipt {
  /** Whose receipt it is: the key that signs it. */
  readonly agent_id: string;
  readonly message_id: string;
  readonly rung: Rung;
  /** ISO 8601 with offset. */
  readonly at: string;
  /** The bare scheme-2 hash of the giver's commit that records the rung. */
  readonly commit: string | null;
  readonly detail: string | null;
  readonly sig: string;
}

/** A receipt with what else its signature covers: checkable by itself. */
export interface TakenReceipt extends Receipt {
  /** Who sent the message, as the giver saw it. */
  readonly from_agent_id: string;
  /** H(content), bare. */
  readonly content_hash: string;
}

export const RECEIPT_DETAIL_CODE_POINTS_MAX = 1000;
const MESSAGE_ID_CODE_POINTS_MAX = 128;
const AT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * The signed text (mesh.md 22.2); `undefined` when a field that may hold no LF holds one, or any is not well-formed
 * Unicode: it would be signed as another text.
 */
export function receiptText(receipt: Omit<TakenReceipt, "sig">): string | undefined {
  const { agent_id, at, commit, content_hash, detail, from_agent_id, message_id, rung } = receipt;
  // `-` stands for none: as a text it would say the same.
  if (commit === "-" || detail?.isWellFormed() === false) return undefined;
  const hash = detail === null ? "-" : sha256Hex(detail);
  const fields = [agent_id, message_id, from_agent_id, content_hash, rung, at, commit ?? "-", hash];
  return joinedLines("darkmatter.receipt.v1", ...fields);
}

/** Whether the agent it names signed it. The form is the caller's to check. */
export async function verifyReceipt(receipt: TakenReceipt, verify: VerifySignature): Promise<boolean> {
  const text = receiptText(receipt);
  return text !== undefined && verify(receipt.agent_id, text, receipt.sig);
}

function isText(value: unknown, codePointsMax: number): value is string {
  return typeof value === "string" && value.isWellFormed() && !exceedsCodePoints(value, codePointsMax);
}

const FORM: Form<Receipt> = {
  agent_id: isHash,
  message_id: (value) => isText(value, MESSAGE_ID_CODE_POINTS_MAX) && value !== "" && !value.includes("\n"),
  rung: (value) => RUNGS.some((rung) => rung === value),
  at: (value) => typeof value === "string" && AT.test(value) && parseTime(value) !== undefined,
  commit: orNull(isHash),
  detail: orNull((value) => isText(value, RECEIPT_DETAIL_CODE_POINTS_MAX)),
  sig: isSignature,
};
const TAKEN_FORM: Form<TakenReceipt> = { ...FORM, from_agent_id: isHash, content_hash: isHash };

/** A receipt as a peer sent it; `undefined` when a member is missing or not in its form. Others are left out. */
export function receiptOf(value: ExactJson | Json): Receipt | undefined {
  const members = membersOf(value);
  return members && shaped(members, FORM);
}

/** A receipt as it was disclosed: exactly the nine members, each in its form. */
export function takenReceiptOf(value: ExactJson | Json): TakenReceipt | undefined {
  const members = membersOf(value);
  return members && hasOnly(members, Object.keys(TAKEN_FORM)) ? shaped(members, TAKEN_FORM) : undefined;
}
