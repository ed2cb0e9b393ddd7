import type { Read, Write } from "@darkmatter/store";
import type { Background } from "../background.ts";
import type { Identity } from "../identity/identity.ts";
import type { Sending } from "../messages/send.ts";
import type { OnStored } from "../messages/stored.ts";
import type { MeshPorts } from "../ports.ts";
import type { Superagent } from "../wallets/superagent.ts";
import type { Wallets } from "../wallets/wallets.ts";
import { createChecking } from "./checking.ts";
import { createPaying } from "./paying.ts";
import type { OnConfirmed, Payment, PaymentOrder } from "./payment.ts";
import { readPayment } from "./payments.store.ts";

/** Money on its way: paid once, announced, checked on chain, used once (mesh.md 12). */
export interface Payments {
  /**
   * Pays once for each key, and follows the transaction for some seconds; what is `pending` then is followed in the
   * background. Not inside a transaction. A key whose payment `expired` or `failed` stays that: pay again under another.
   * @throws NO_WALLET, INSUFFICIENT_FUNDS, TRANSFER_IMPOSSIBLE, CHAIN_UNREACHABLE: then nothing was signed or kept
   */
  pay(order: PaymentOrder): Promise<Payment>;
  find(tx: Read, key: string): Promise<Payment | undefined>;
  /** Notes payment notices of connected agents, unchecked. */
  readonly onStored: OnStored;
  /** Calls back in the transaction that confirms a peer's payment; once for each transaction of the chain. */
  onConfirmed(listener: OnConfirmed): void;
  /** Uses up what a peer paid and did not use yet: `false`, and nothing changes, where that is less. */
  spend(tx: Write, what: { peer: string; token: string; amount: string }): Promise<boolean>;
}

/** The same, with what keeps it going in the background. */
export interface PaymentsKeeper extends Payments {
  /** Brings payments on their way to their end; after a crash, too. */
  finish(): Promise<void>;
  /** Asks the chain about notices that are due. */
  check(): Promise<void>;
  /** Forgets notices that led to nothing. */
  prune(): Promise<void>;
}

export function createPayments(
  ports: MeshPorts,
  parts: {
    readonly wallets: Wallets;
    readonly superagent: Superagent;
    readonly identity: Identity;
    readonly sending: Sending;
    readonly background: Background;
    changed(): void;
  },
): PaymentsKeeper {
  return { find: readPayment, ...createPaying(ports, parts), ...createChecking(ports, parts) };
}
