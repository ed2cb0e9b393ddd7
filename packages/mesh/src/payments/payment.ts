import type { Write } from "@darkmatter/store";

/** What is to be paid. */
export interface PaymentOrder {
  /** Names the payment: the same key is the same payment, whatever happens in between. At most 200 characters. */
  readonly key: string;
  /** The agent that gets it, where it is one we are connected to. */
  readonly peer: string | null;
  /** The recipient's wallet. */
  readonly to: string;
  /** Decimal text such as `0.29`, in whole units of the token; more digits than the token has are cut. */
  readonly amount: string;
  /** `SOL`, or a mint's address. */
  readonly token: string;
  /** Where given, must be what the mint says. */
  readonly decimals?: number | undefined;
  /** Whether `peer` is sent a payment notice once it is confirmed. */
  readonly notify: boolean;
  /** `false`: refused where the recipient has no account for the token, which would be made at our cost. */
  readonly opensAccount?: boolean;
  /** For the ledger: `send_sol`, `antimatter` … */
  readonly why: string;
}

/**
 * `pending`: signed and on disk, perhaps on its way. `confirmed`: on the chain. `failed`: on the chain, moved nothing.
 * `expired`: never landed, and never will.
 */
export type PaymentState = "pending" | "confirmed" | "failed" | "expired";

/** A payment of ours. */
export interface Payment {
  readonly key: string;
  readonly peer: string | null;
  readonly from: string;
  readonly to: string;
  /** Exactly what is moved, decimal text. */
  readonly amount: string;
  /** The same in the token's smallest unit. */
  readonly raw: bigint;
  readonly token: string;
  readonly decimals: number;
  readonly txSignature: string;
  readonly state: PaymentState;
  readonly createdRecipientAccount: boolean;
  readonly why: string;
  /** The message that told the peer; `null` while there is none. */
  readonly noticeId: string | null;
}

/** A payment of a peer that the chain confirmed. */
export interface ReceivedPayment {
  /** The notice. */
  readonly messageId: string;
  readonly peer: string;
  /** What was said and at least received, decimal text. */
  readonly amount: string;
  readonly raw: bigint;
  /** `SOL`, or a mint's address. */
  readonly token: string;
  readonly decimals: number;
  readonly txSignature: string;
  /** What the notice says of the fee (`gas_…` of older nodes counts too). */
  readonly antimatterEligible: boolean;
  /** `undefined` where it says none. */
  readonly antimatterRate: number | undefined;
  /** An address, or empty. */
  readonly senderSuperagentWallet: string;
  readonly senderCreatedAt: string | undefined;
}

/** Follows a confirmed payment in the transaction that confirms it. */
export type OnConfirmed = (tx: Write, payment: ReceivedPayment) => Promise<void> | undefined;
