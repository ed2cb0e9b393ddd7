import type { Json, JsonObject } from "@darkmatter/core";
import { numberOf, rawOf } from "../wallets/amount.ts";
import { mintOf, SOL } from "../wallets/wallet.ts";
import type { Payment } from "./payment.ts";

/** What a message's metadata says that was paid (mesh.md 12); nothing of it is believed. */
export interface Notice {
  readonly txSignature: string;
  /** Decimal text. */
  readonly amount: string;
  /** It was a JSON number: a sender of the first generation cuts its float, and may have moved one unit less. */
  readonly isFloat: boolean;
  /** `SOL`, or a mint's address. */
  readonly token: string;
  readonly decimals: number | null;
  readonly eligible: boolean;
  readonly rate: number | null;
  readonly superagentWallet: string;
  readonly createdAt: string | null;
}

const TYPE = "solana_payment";
const TEXT_MAX = 100;
/** Enough for any count of any token, and to refuse early what is none. */
const DECIMALS_MAX = 18;
/** The fee a notice of ours offers (mesh.md 13). */
const FEE_RATE = 0.01;

export const isNotice = (metadata: JsonObject): boolean => metadata.type === TYPE;

const textIn = (value: Json | undefined) =>
  typeof value === "string" && value.length <= TEXT_MAX ? value : undefined;

/** Reads a notice; `undefined` where no payment can be made out. `gas_…` is what WormHole calls the fee. */
export function noticeIn(metadata: JsonObject): Notice | undefined {
  const { amount: told, token: named, decimals, tx_signature: signature } = metadata;
  const { antimatter_eligible: eligible = metadata.gas_eligible, antimatter_rate: rate = metadata.gas_rate } =
    metadata;
  const amount = typeof told === "number" ? String(told) : textIn(told);
  const token = textIn(named);
  const txSignature = textIn(signature);
  if (!amount || !token || !txSignature || !rawOf(amount, DECIMALS_MAX, "up")) return undefined;
  return {
    txSignature,
    amount,
    isFloat: typeof told === "number",
    token: token.toUpperCase() === SOL ? SOL : mintOf(token),
    decimals: typeof decimals === "number" ? decimals : null,
    eligible: eligible === true,
    rate: typeof rate === "number" ? rate : null,
    superagentWallet: textIn(metadata.sender_superagent_wallet) ?? "",
    createdAt: textIn(metadata.sender_created_at) ?? null,
  };
}

/** The notice of a payment of ours, as mesh.md 12 has it. */
export function noticeOf(
  payment: Payment,
  sender: { readonly createdAt: string; readonly superagentWallet: string },
): JsonObject {
  const { raw, decimals, token, txSignature, from, to } = payment;
  return {
    type: TYPE,
    amount: numberOf(raw, decimals),
    token,
    ...(token !== SOL && { decimals }),
    tx_signature: txSignature,
    from_wallet: from,
    to_wallet: to,
    antimatter_eligible: true,
    antimatter_rate: FEE_RATE,
    sender_created_at: sender.createdAt,
    sender_superagent_wallet: sender.superagentWallet,
  };
}
