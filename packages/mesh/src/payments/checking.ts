import { DAY_MS, isoTime, MINUTE_MS, reasonOf, SECOND_MS } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import type { Background } from "../background.ts";
import { shortId } from "../connections/connection.ts";
import { readConnection } from "../connections/connections.store.ts";
import { insertNote } from "../messages/notes.store.ts";
import type { OnStored, StoredMessage } from "../messages/stored.ts";
import { inParallel } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import { amountOf, rawOf } from "../wallets/amount.ts";
import type { ChainTransfer, WalletProvider } from "../wallets/wallet.ts";
import type { Wallets } from "../wallets/wallets.ts";
import { isNotice, noticeIn } from "./notice.ts";
import {
  closeNotice,
  countHolders,
  countUnchecked,
  insertNotice,
  type NotedNotice,
  postponeNotice,
  pruneNotices,
  readCredit,
  readDueNotices,
  useTransaction,
  writeCredit,
} from "./notices.store.ts";
import type { OnConfirmed, ReceivedPayment } from "./payment.ts";

/** Believing payments of peers once the chain confirms them. */
export interface Checking {
  readonly onStored: OnStored;
  onConfirmed(listener: OnConfirmed): void;
  /** Asks the chain about every notice that is due. */
  check(): Promise<void>;
  spend(tx: Write, what: { peer: string; token: string; amount: string }): Promise<boolean>;
  prune(): Promise<void>;
}

const NO_TRANSACTION = "what it names is no transaction";
/** Notices that wait for the chain; what comes beyond is refused. */
const UNCHECKED_PER_PEER_MAX = 20;
const UNCHECKED_MAX = 500;
const ROUND_MAX = 50;
const PARALLEL_MAX = 4;
/** Pauses after each look in which the chain did not know the transaction; three minutes in all, then it is refused. */
const MISSING_PAUSES_MS = [2, 4, 8, 16, 30, 60, 60].map((seconds) => seconds * SECOND_MS);
/** Between tries to reach a chain that cannot be asked, and for how long. */
const UNREACHABLE_PAUSE_MS = MINUTE_MS;
const ASKED_FOR_MS = DAY_MS;
const REFUSED_KEPT_MS = 7 * DAY_MS;

export function createChecking(
  ports: MeshPorts,
  parts: { readonly wallets: Wallets; readonly background: Background; changed(): void },
): Checking {
  const { db, clock, journal, report } = ports;
  const { wallets, background, changed } = parts;
  const listeners: OnConfirmed[] = [];
  /** Notices being checked now. */
  const checking = new Set<string>();

  async function refuse(
    tx: Write,
    { messageId, peer }: Pick<NotedNotice, "messageId" | "peer">,
    why: string,
  ) {
    const text = `A payment notice of ${shortId(peer)} was not believed: ${why}. Nothing follows from it.`;
    await insertNote(tx, { at: isoTime(clock.now()), messageId, agentId: peer, text });
    tx.afterCommit(changed);
  }

  async function note(tx: Write, message: StoredMessage): Promise<void> {
    const { messageId, from: peer, metadata, receivedAtMs } = message;
    const of = { messageId, peer };
    const read = noticeIn(metadata);
    if (!read) return refuse(tx, of, "it says no amount, token or transaction");
    const wallet = wallets.all.find(({ chain }) => chain === "solana");
    const txSignature = wallet ? wallet.normalSignature(read.txSignature) : read.txSignature;
    if (txSignature === undefined) {
      return refuse(tx, of, NO_TRANSACTION);
    }
    const peerWallet = (await readConnection(tx, peer))?.wallets.solana;
    if (!peerWallet) return refuse(tx, of, "that agent told no wallet when it connected");
    const waiting = await countUnchecked(tx, peer);
    if (waiting.peer >= UNCHECKED_PER_PEER_MAX || waiting.all >= UNCHECKED_MAX) {
      return refuse(tx, of, "too many wait to be checked");
    }
    const notice = { ...read, txSignature };
    await insertNotice(tx, { messageId, peer, peerWallet, notice, receivedAtMs, missing: 0 });
    tx.afterCommit(() => background.start("payments.check", check));
  }

  function confirm(noted: NotedNotice, raw: bigint, decimals: number): Promise<void> {
    const { messageId, peer, notice } = noted;
    const { token, txSignature } = notice;
    return db.write(async (tx) => {
      if (!(await closeNotice(tx, noted, "confirmed"))) return;
      if (!(await useTransaction(tx, txSignature, messageId))) {
        return refuse(tx, noted, "its transaction was counted before");
      }
      const credit = await readCredit(tx, peer, token);
      await writeCredit(tx, peer, token, { raw: (credit?.raw ?? 0n) + raw, decimals });
      const amount = amountOf(raw, decimals);
      await journal.append(tx, {
        act: "payment.received",
        trace: messageId,
        peer,
        messageId,
        fields: { amount, token, tx_signature: txSignature },
      });
      const payment: ReceivedPayment = {
        messageId,
        peer,
        amount,
        raw,
        token,
        decimals,
        txSignature,
        antimatterEligible: notice.eligible,
        antimatterRate: notice.rate ?? undefined,
        senderSuperagentWallet: notice.superagentWallet,
        senderCreatedAt: notice.createdAt ?? undefined,
      };
      for (const listener of listeners) await listener(tx, payment);
      tx.afterCommit(changed);
    });
  }

  const deny = (noted: NotedNotice, why: string) =>
    db.write(async (tx) => {
      if (await closeNotice(tx, noted, "refused")) await refuse(tx, noted, why);
    });

  /** Asks again later; after three minutes in which the chain did not know it, never. */
  function missed(noted: NotedNotice): Promise<void> {
    const pauseMs = MISSING_PAUSES_MS[noted.missing];
    if (pauseMs === undefined) return deny(noted, "the chain knows no such transaction");
    const next = { atMs: clock.now() + pauseMs, missing: noted.missing + 1 };
    return db.write((tx) => postponeNotice(tx, noted, next));
  }

  /** Without an answer of the chain nothing is decided, for or against. */
  function unasked(noted: NotedNotice, error: unknown): Promise<void> {
    report("payment.unchecked", { message: noted.messageId, reason: reasonOf(error) });
    const isOver = clock.now() - noted.receivedAtMs >= ASKED_FOR_MS;
    const atMs = isOver ? null : clock.now() + UNREACHABLE_PAUSE_MS;
    return db.write((tx) => postponeNotice(tx, noted, { atMs, missing: noted.missing }));
  }

  async function checkOne(wallet: WalletProvider, noted: NotedNotice): Promise<void> {
    const { txSignature } = noted.notice;
    // Noted, perhaps, while there was no wallet to tell.
    if (wallet.normalSignature(txSignature) !== txSignature) return deny(noted, NO_TRANSACTION);
    let found: ChainTransfer | undefined;
    try {
      found = await wallet.lookup(txSignature);
    } catch (error) {
      return unasked(noted, error);
    }
    if (!found) return missed(noted);
    // Wallets are told and not proven: who claims another's must not have what that one pays.
    if ((await countHolders(db, noted.peerWallet)) > 1) {
      return deny(noted, "another connected agent told the same wallet, so whose it is cannot be known");
    }
    const verdict = judged(noted, found, wallet.address);
    return typeof verdict === "string" ? deny(noted, verdict) : confirm(noted, verdict.raw, verdict.decimals);
  }

  async function check(): Promise<void> {
    const wallet = wallets.all.find(({ chain }) => chain === "solana");
    if (!wallet) return;
    const due = (await readDueNotices(db, clock.now(), ROUND_MAX)).filter(
      (one) => !checking.has(nameOf(one)),
    );
    for (const one of due) checking.add(nameOf(one));
    await inParallel(due, PARALLEL_MAX, (one) =>
      checkOne(wallet, one).finally(() => checking.delete(nameOf(one))),
    );
  }

  return {
    onStored: (tx, message) =>
      isNotice(message.metadata) && message.connected && !message.broadcast ? note(tx, message) : undefined,

    onConfirmed: (listener) => void listeners.push(listener),
    check,

    async spend(tx, { peer, token, amount }) {
      const credit = await readCredit(tx, peer, token);
      // Rounded up: less than the smallest unit is not free.
      const raw = credit && rawOf(amount, credit.decimals, "up");
      if (!credit || raw === undefined || raw > credit.raw) return false;
      await writeCredit(tx, peer, token, { ...credit, raw: credit.raw - raw });
      return true;
    },

    prune: () => db.write((tx) => pruneNotices(tx, clock.now() - REFUSED_KEPT_MS)),
  };
}

const nameOf = ({ messageId, peer }: NotedNotice) => `${peer} ${messageId}`;

/** What a notice may count for, by what the chain says; or why it counts for nothing. */
function judged(
  { notice, peerWallet }: NotedNotice,
  { failed, moved }: ChainTransfer,
  own: string,
): string | { readonly raw: bigint; readonly decimals: number } {
  if (failed) return "its transaction failed on the chain";
  const toUs = moved.filter(({ to, from }) => to === own && from !== own);
  if (toUs.length === 0) return "its transaction pays somebody else";
  const fromPeer = toUs.filter(({ from }) => from === peerWallet);
  if (fromPeer.length === 0) return "its transaction is of another wallet than that agent's";
  const inToken = fromPeer.filter(({ token }) => token === notice.token);
  const [first] = inToken;
  if (!first) return "its transaction moves another token";
  const { decimals } = first;
  if (notice.decimals !== null && notice.decimals !== decimals) return "the token has other decimals";
  const received = inToken.reduce((sum, { raw }) => sum + raw, 0n);
  const said = rawOf(notice.amount, decimals);
  if (!said) return "it says no amount that the token can have";
  if (received + (notice.isFloat ? 1n : 0n) < said) return "its transaction moves less";
  return { raw: received < said ? received : said, decimals };
}
