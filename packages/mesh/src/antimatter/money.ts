import type { Payment, PaymentOrder } from "../payments/payment.ts";

/** What fees need of wallets and payments. */
export interface FeeMoney {
  /** Pays once for each key; see `Payments.pay`. */
  pay(order: PaymentOrder): Promise<Pick<Payment, "state" | "txSignature">>;
  /** Our own Solana address; `undefined` without a wallet. */
  ownWallet(): string | undefined;
  /** Where a fee goes that found no other taker; `undefined` where nobody is named or it cannot be asked. */
  superagentWallet(): Promise<string | undefined>;
}
