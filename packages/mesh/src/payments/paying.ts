import { hasCode, isoTime, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { createBackoff } from "../backoff.ts";
import { shortId } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import { HOPS_DEFAULT } from "../messages/message.ts";
import { insertNote } from "../messages/notes.store.ts";
import type { Sending } from "../messages/send.ts";
import { inParallel } from "../peers.ts";
import type { MeshConfig, MeshPorts } from "../ports.ts";
import { amountOf, rawOf } from "../wallets/amount.ts";
import type { Superagent } from "../wallets/superagent.ts";
import { mintOf, SOL, type Transfer } from "../wallets/wallet.ts";
import type { Wallets } from "../wallets/wallets.ts";
import { noticeOf } from "./notice.ts";
import type { Payment, PaymentOrder, PaymentState } from "./payment.ts";
import {
  endNotice,
  endPayment,
  hasSignature,
  insertPayment,
  type OpenPayment,
  readOpenPayments,
  readPayment,
} from "./payments.store.ts";

/** Bringing payments of ours to their end. */
export interface Paying {
  pay(order: PaymentOrder): Promise<Payment>;
  /** One step for each payment that is on its way, and the notices that are due; after a crash, too. */
  finish(): Promise<void>;
}

export const KEY_MAX = 200;
/** How long the payer waits for the chain: it takes a second or two. */
const PATIENCE_MS = 20 * SECOND_MS;
const POLL_MS = 2 * SECOND_MS;
/** Payments looked after in one round, and at once. */
const ROUND_MAX = 100;
const PARALLEL_MAX = 4;
/** Another blockhash comes every 0.4 s, and makes another transaction of the same amount to the same recipient. */
const NEXT_BLOCK_MS = SECOND_MS;
const PREPARED_MAX = 10;

export function createPaying(
  ports: MeshPorts,
  parts: {
    readonly wallets: Wallets;
    readonly superagent: Superagent;
    readonly identity: Identity;
    readonly sending: Sending;
    changed(): void;
  },
): Paying {
  const { db, clock, journal, report } = ports;
  const { wallets, superagent, identity, sending, changed } = parts;
  /** Payments being followed now: one step at a time for each. */
  const following = new Map<string, Promise<OpenPayment>>();
  /** Between looks at a chain that gives no answer. */
  const pauses = createBackoff(ports);

  async function transferOf(order: PaymentOrder): Promise<Transfer> {
    const wallet = wallets.on("solana");
    const { to, token, amount } = order;
    if (order.key.length > KEY_MAX) throw meshError("BAD_REQUEST", "The payment's key is too long.");
    if (!wallet.isAddress(to)) throw meshError("NO_WALLET", "The recipient's wallet is no Solana address.");
    if (to === wallet.address) throw meshError("BAD_REQUEST", "That would pay ourselves.");
    if (token !== SOL && !wallet.isAddress(token)) throw meshError("NO_SUCH_TOKEN");
    const decimals = await wallet.decimals(token);
    if (order.decimals !== undefined && order.decimals !== decimals) {
      throw meshError("BAD_REQUEST", `That token has ${decimals} decimals. Leave decimals out.`);
    }
    const raw = rawOf(amount, decimals);
    if (!raw)
      throw meshError("BAD_REQUEST", `amount must be more than 0, with at most ${decimals} decimals.`);
    refuseBeyond(ports.config.paymentMax, { to, token, raw, decimals });
    return { to, token, raw, decimals };
  }

  /** Signs, and writes down what was signed before anybody else sees it. `undefined`: those bytes pay another order. */
  async function recorded(order: PaymentOrder, transfer: Transfer): Promise<OpenPayment | undefined> {
    const wallet = wallets.on("solana");
    const { bytes, signature, createsAccount, ...times } = await wallet.prepare(transfer);
    if (createsAccount && order.opensAccount === false) {
      throw meshError("TRANSFER_IMPOSSIBLE", "The recipient has no account for this token.");
    }
    const payment: OpenPayment = {
      ...transfer,
      key: order.key,
      peer: order.peer,
      from: wallet.address,
      amount: amountOf(transfer.raw, transfer.decimals),
      txSignature: signature,
      state: "pending",
      createdRecipientAccount: createsAccount,
      why: order.why,
      noticeId: null,
      bytes,
      lastValidBlockHeight: times.lastValidBlockHeight,
      sinceSlot: times.sinceSlot,
      noticeDue: order.notify && order.peer !== null,
    };
    return db.write(async (tx) => {
      const before = await readPayment(tx, order.key);
      if (before) return before;
      if (await hasSignature(tx, signature)) return undefined;
      await insertPayment(tx, payment, clock.now());
      await journal.append(tx, {
        act: "payment.sent",
        trace: order.peer ?? signature,
        peer: order.peer,
        fields: {
          amount: payment.amount,
          token: payment.token,
          from: payment.from,
          to: payment.to,
          tx_signature: signature,
          why: order.why,
        },
      });
      return payment;
    });
  }

  async function begun(order: PaymentOrder): Promise<OpenPayment> {
    const transfer = await transferOf(order);
    for (let tries = 1; ; tries++) {
      const payment = await recorded(order, transfer);
      if (payment) return payment;
      if (tries === PREPARED_MAX) {
        throw meshError("TRANSFER_IMPOSSIBLE", "The same payment is on its way already: try again later.");
      }
      await clock.sleep(NEXT_BLOCK_MS);
    }
  }

  /** What is not taken now is sent again: whether it landed is the chain's to say. */
  async function submit({ bytes, key }: OpenPayment): Promise<void> {
    await wallets
      .on("solana")
      .submit(bytes)
      .catch((error: unknown) => report("payment.unsent", { key, reason: reasonOf(error) }));
  }

  async function stateOf(payment: OpenPayment): Promise<PaymentState> {
    const { txSignature, lastValidBlockHeight, sinceSlot, key } = payment;
    try {
      const state = await wallets.on("solana").status(txSignature, lastValidBlockHeight, sinceSlot);
      pauses.clear(key);
      return state;
    } catch (error) {
      pauses.failed(key);
      report("payment.unknown", { key, reason: reasonOf(error) });
      return "pending";
    }
  }

  function settle(payment: OpenPayment, state: PaymentState): Promise<void> {
    return db.write(async (tx) => {
      if (!(await endPayment(tx, payment.key, state))) return;
      if (state !== "confirmed") await noteFailure(tx, payment, state);
      tx.afterCommit(changed);
    });
  }

  function noteFailure(tx: Write, { peer, amount, token, txSignature }: OpenPayment, state: PaymentState) {
    const what = `Your payment of ${amount} ${token}${peer === null ? "" : ` to ${shortId(peer)}`}`;
    const became = state === "failed" ? "failed on the chain" : "was never taken by the chain";
    const text = `${what} ${became} and moved nothing (transaction ${txSignature}). Pay again if you still want to.`;
    return insertNote(tx, { at: isoTime(clock.now()), messageId: "", agentId: peer ?? "", text });
  }

  /** The word to the peer, once for each payment: its message is named after it. */
  async function announce(payment: OpenPayment): Promise<void> {
    const { key, peer, amount, token } = payment;
    if (payment.state !== "confirmed" || !payment.noticeDue || peer === null) return;
    try {
      const { createdAt } = await identity.profile(db);
      const metadata = noticeOf(payment, { createdAt, superagentWallet: await superagent.wallet() });
      const message = { content: `Sent ${amount} ${token}`, metadata, hopsRemaining: HOPS_DEFAULT };
      const { sent } = await sending.send(
        { ...message, targets: [peer], trustMin: 0 },
        `payment-notice:${key}`,
      );
      await db.write((tx) => endNotice(tx, key, sent.messageId));
    } catch (error) {
      pauses.failed(key);
      report("payment.unannounced", { key, reason: reasonOf(error) });
      if (hasCode(error, "NOT_CONNECTED")) await db.write((tx) => endNotice(tx, key, null));
    }
  }

  /** One look at the chain, and what follows from it. */
  async function step(key: string, isNew: boolean): Promise<OpenPayment> {
    const payment = await required(key);
    if (payment.state === "pending") {
      if (isNew) await submit(payment);
      const state = await stateOf(payment);
      if (state !== "pending") await settle(payment, state);
      else if (!isNew) await submit(payment);
    }
    await announce(await required(key));
    return required(key);
  }

  async function follow(key: string, patienceMs: number, isNew: boolean): Promise<OpenPayment> {
    const until = clock.monotonic() + patienceMs;
    for (let first = isNew; ; first = false) {
      const payment = await step(key, first);
      if (payment.state !== "pending" || clock.monotonic() >= until) return payment;
      await clock.sleep(POLL_MS);
    }
  }

  function followed(key: string, patienceMs: number, isNew: boolean): Promise<OpenPayment> {
    const running = following.get(key) ?? follow(key, patienceMs, isNew).finally(() => following.delete(key));
    following.set(key, running);
    return running;
  }

  async function required(key: string): Promise<OpenPayment> {
    const payment = await readPayment(db, key);
    if (!payment) throw meshError("NOT_FOUND", "No such payment.");
    return payment;
  }

  return {
    async pay(order) {
      const known = await readPayment(db, order.key);
      const payment = known ?? (await begun(order));
      refuseOther(order, payment);
      return followed(order.key, PATIENCE_MS, known === undefined);
    },

    async finish() {
      if (wallets.all.length === 0) return;
      const all = await readOpenPayments(db, ROUND_MAX);
      pauses.keep(new Set(all.map(({ key }) => key)));
      const open = all.filter(({ key }) => !following.has(key) && !pauses.isPaused(key));
      await inParallel(open, PARALLEL_MAX, ({ key }) => followed(key, 0, false));
    },
  };
}

/** What the owner allows at once; of a token that the owner named nothing of, nothing. */
function refuseBeyond(limits: MeshConfig["paymentMax"], { token, raw, decimals }: Transfer): void {
  if (limits === undefined) return;
  const [, most = "0"] = Object.entries(limits).find(([name]) => mintOf(name) === token) ?? [];
  if (raw > (rawOf(most, decimals) ?? 0n)) throw meshError("PAYMENT_LIMIT");
}

/** A key names one payment: another under it is a mistake of the caller, and must not pass for paid. */
function refuseOther({ to, token, amount, peer }: PaymentOrder, payment: Payment): void {
  const isSame =
    to === payment.to &&
    token === payment.token &&
    peer === payment.peer &&
    rawOf(amount, payment.decimals) === payment.raw;
  if (!isSame) throw meshError("BAD_REQUEST", "Another payment was made under this key.");
}
