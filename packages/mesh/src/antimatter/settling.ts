import { HOUR_MS, hasCode, isoTime, type JsonObject, reasonOf } from "@darkmatter/core";
import { antimatterResultText, signText } from "@darkmatter/identity";
import type { Connections } from "../connections/connections.ts";
import type { Impressions } from "../impressions/impressions.ts";
import { pauseAfter } from "../messages/copy.ts";
import type { PaymentOrder, PaymentState } from "../payments/payment.ts";
import type { MeshPorts } from "../ports.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import { type HeldSignal, readDue, readSignal, setDone, setDueLater } from "./antimatter.store.ts";
import { isWallet } from "./around.ts";
import type { Log } from "./log.ts";
import type { FeeMoney } from "./money.ts";

/** What paying a fee gains, for who paid us and for whom it went to (mesh.md 13). */
export const SUCCESS_GAIN = 0.01;
/** A fee that cannot be paid for so long is kept. */
const PAY_WITHIN_MS = 24 * HOUR_MS;

/** Payments begun for a fee that never landed. */
const TRIES_MAX = 5;
const isDead = (state: PaymentState) => state === "expired" || state === "failed";

/** Doing what the end of a signal asks for: paying it, or telling its originator. Each is tried until it is done. */
export interface Settling {
  /** Does what is due for a signal, unless that goes on already. */
  settle(key: string): Promise<void>;
  settleDue(): Promise<void>;
}

export function createSettling(
  ports: MeshPorts,
  callbacks: Callbacks,
  connections: Connections,
  impressions: Impressions,
  money: FeeMoney,
  log: Log,
): Settling {
  const { db, clock, random, signer } = ports;
  const settling = new Set<string>();

  /** Where the fee goes: who won it, or after a timeout a superagent. Never who paid, never ourselves. */
  async function recipient({ resolution, destination, signal, payerWallet }: HeldSignal) {
    const isFair = (wallet: string | undefined): wallet is string =>
      wallet !== undefined && isWallet(wallet) && wallet !== payerWallet && wallet !== money.ownWallet();
    if (resolution !== "timeout")
      return isFair(destination ?? undefined) ? (destination ?? undefined) : undefined;
    if (isFair(signal.sender_superagent_wallet)) return signal.sender_superagent_wallet;
    const ours = await money.superagentWallet();
    return isFair(ours) ? ours : undefined;
  }

  /** One payment that lands. Another key is another payment, and only comes after one that moved nothing and never will. */
  async function payOnce(order: PaymentOrder) {
    let paid = await money.pay(order);
    for (let tries = 2; tries <= TRIES_MAX && isDead(paid.state); tries++) {
      paid = await money.pay({ ...order, key: `${order.key}:${tries}` });
    }
    return paid;
  }

  async function keep(held: HeldSignal, reason: string): Promise<void> {
    await db.write(async (tx) => {
      if (!(await setDone(tx, held.key))) return;
      await log(tx, "antimatter_kept", {
        signal_id: held.signal.signal_id,
        reason,
        amount: held.signal.amount,
      });
    });
  }

  async function pay(held: HeldSignal): Promise<void> {
    const { key, signal, fee, resolvedBy } = held;
    const to = await recipient(held);
    if (to === undefined) return keep(held, "no_recipient");
    const peer = resolvedBy !== null && (await connections.has(db, resolvedBy)) ? resolvedBy : null;
    const { token, token_decimals: decimals } = signal;
    const paid = await payOnce({
      key: `antimatter:${signal.signal_id}`,
      ...{ peer, to, amount: fee, token, decimals, notify: false, why: "antimatter" },
      // Its owner may close it and keep what it cost us, which can be far more than the payment was worth.
      opensAccount: false,
    });
    if (paid.state === "pending") return later(held);
    if (paid.state !== "confirmed") throw new Error(`the payment ${paid.state}`);
    await db.write(async (tx) => {
      if (!(await setDone(tx, key))) return;
      const what = {
        amount: signal.amount,
        token: signal.token,
        destination_wallet: to,
        tx_signature: paid.txSignature,
      };
      await log(tx, "antimatter_sent", { signal_id: signal.signal_id, ...what });
      if (held.resolution !== "match") return;
      for (const agentId of new Set([signal.sender_agent_id, resolvedBy ?? ""])) {
        if (await connections.has(tx, agentId)) await impressions.nudge(tx, agentId, SUCCESS_GAIN);
      }
    });
  }

  /** The end as it is told: signed, with the way the signal came where it is known. */
  function told({ signal, destination, resolvedBy, resolution, handoffs }: HeldSignal): JsonObject {
    const timestamp = isoTime(clock.now());
    const result = { destination: destination ?? "", by: resolvedBy ?? "", how: resolution ?? "terminal" };
    const text = antimatterResultText({
      signalId: signal.signal_id,
      destinationWallet: result.destination,
      resolvedBy: result.by,
      resolution: result.how,
      timestamp,
    });
    return {
      signal_id: signal.signal_id,
      destination_wallet: result.destination,
      resolved_by: result.by,
      resolution: result.how,
      timestamp,
      from_public_key_hex: signer.agentId,
      signature_hex: signText(signer, text),
      ...(handoffs.length > 0 && { handoffs: handoffs.map((step) => ({ ...step })) }),
    };
  }

  async function tell(held: HeldSignal): Promise<void> {
    const { key, signal, handoffs } = held;
    // A signed step of a connected agent brought it: its callback may lie in our own network (mesh.md 7.3).
    const before = handoffs.at(-1)?.from;
    const connected = before !== undefined && (await connections.has(db, before));
    const source = { from: signal.path[0] ?? signal.sender_agent_id, connected };
    const answer = await callbacks.post(signal.callback_url, source, told(held));
    if (answer.status >= 500 || answer.status === 429) throw new Error(`answered ${answer.status}`);
    await db.write(async (tx) => {
      if (!(await setDone(tx, key))) return;
      const type = answer.status < 400 ? "antimatter_resolved_callback" : "antimatter_callback_failed";
      const how = held.resolution ?? "terminal";
      await log(tx, type, { signal_id: signal.signal_id, resolution: how, status: answer.status });
    });
  }

  async function later(held: HeldSignal): Promise<void> {
    const pauseMs = pauseAfter(held.attempts + 1, random);
    await db.write((tx) => setDueLater(tx, held.key, clock.now() + pauseMs));
  }

  async function failed(held: HeldSignal, error: unknown): Promise<void> {
    const { key, due, signal, deadlineMs } = held;
    const untilMs = due === "pay" ? deadlineMs + PAY_WITHIN_MS : deadlineMs;
    const isLast = clock.now() >= untilMs || hasCode(error, "FORBIDDEN");
    const type = due === "pay" ? "antimatter_send_failed" : "antimatter_callback_failed";
    ports.report(`antimatter.${due}-failed`, { signal: signal.signal_id, reason: reasonOf(error) });
    await db.write(async (tx) => {
      // One line for what is tried again and again.
      if (held.attempts === 0 || isLast) await log(tx, type, { signal_id: signal.signal_id });
      if (isLast) await setDone(tx, key);
    });
    if (!isLast) await later(held);
  }

  async function settle(key: string): Promise<void> {
    if (settling.has(key)) return;
    settling.add(key);
    try {
      const held = await readSignal(db, key);
      if (!held?.due) return;
      await (held.due === "pay" ? pay(held) : tell(held)).catch((error) => failed(held, error));
    } finally {
      settling.delete(key);
    }
  }

  return {
    settle,
    async settleDue() {
      for (const key of await readDue(db, clock.now())) await settle(key);
    },
  };
}
