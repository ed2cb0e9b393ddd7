import {
  canonicalJson,
  DAY_MS,
  isoTime,
  type JsonObject,
  MINUTE_MS,
  newId,
  parseTime,
  sha256Hex,
} from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Background } from "../background.ts";
import { speaks } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import type { Body } from "../fields.ts";
import type { Sending } from "../messages/send.ts";
import type { OnStored } from "../messages/stored.ts";
import type { ReceivedPayment } from "../payments/payment.ts";
import type { MeshPorts } from "../ports.ts";
import { amountOf, numberOf } from "../wallets/amount.ts";
import type { Callbacks } from "../webhooks/callbacks.ts";
import {
  countOpenOfOthers,
  type HeldSignal,
  insertSignal,
  pruneReports,
  pruneSignals,
  readAnswerable,
  readLive,
  readLog,
  setEnded,
  setPassedOn,
} from "./antimatter.store.ts";
import { isWallet, walletOf } from "./around.ts";
import { agreesOnRate, FEE_RATE, feeOf } from "./fee.ts";
import { leadsFrom } from "./handoffs.ts";
import { createHolding, type Ending, type HoldingServices } from "./holding.ts";
import { createLog } from "./log.ts";
import type { FeeMoney } from "./money.ts";
import { createReports, TIMEOUT_LOSS } from "./reports.ts";
import { checkTeller, endingIn, signalIdIn } from "./results.ts";
import { HOPS_MAX } from "./routing.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createSettling } from "./settling.ts";
import { type Handoff, handoffsIn, parseSignal, refusalOf, type Signal, WATCHDOG_MS } from "./signal.ts";

/** Signals of others in our hands at once; each makes us call all our peers. */
const OPEN_OF_OTHERS_MAX = 64;
const DISAGREEMENT_LOSS = -0.02;
const FORGET_REPORTS_AFTER_MS = DAY_MS;
/** After this it is too old to be taken again, whatever time it said it was made at. */
const FORGET_SIGNALS_AFTER_MS = 11 * MINUTE_MS;

/** The fee of 1 % and its way to who earns it (mesh.md 13, docs/antimatter.md). */
export interface Antimatter {
  /** Our side of others' games. */
  readonly sessions: Sessions;
  /** Sends a fee on its way for a confirmed payment that allows one. */
  begin(tx: Write, payment: ReceivedPayment): Promise<void>;
  /** Takes a signal that a holder hands us. Throws BAD_REQUEST, FORBIDDEN, TOO_MANY. */
  takeSignal(body: Body): Promise<void>;
  /** Hears how a signal of ours ended. Throws BAD_REQUEST, FORBIDDEN, NOT_FOUND. */
  takeResult(body: Body): Promise<"resolved" | "already_resolved">;
  readonly onStored: OnStored;
  /** Goes on with everything that waits: after a restart, after its time, after a pause. */
  attend(): Promise<void>;
  /** Forgets what ended a while ago. */
  forget(): Promise<void>;
  /** What happened to fees, oldest first. */
  log(tx: Read): Promise<JsonObject[]>;
}

export interface AntimatterServices extends Omit<HoldingServices, "end" | "log"> {
  readonly background: Background;
  readonly callbacks: Callbacks;
  readonly money: FeeMoney;
  readonly send: Sending["send"];
}

export function createAntimatter(ports: MeshPorts, services: AntimatterServices): Antimatter {
  const { db, clock, random, signer, verifier } = ports;
  const { background, callbacks, connections, impressions, money, send } = services;
  const self = signer.agentId;
  const log = createLog(clock);
  const reports = createReports(ports, connections, impressions, send);
  const settling = createSettling(ports, callbacks, connections, impressions, money, log);
  const holding = createHolding(ports, { ...services, end, log });

  const playSoon = (key: string) => background.start("antimatter.play", () => holding.play(key));
  const settleSoon = (key: string) => background.start("antimatter.settle", () => settling.settle(key));

  /** What is due once a signal has ended: its originator pays or keeps, others tell. */
  function dueOf({ role }: HeldSignal, { resolution, destination }: Ending): HeldSignal["due"] {
    if (role === "holder") return "tell";
    return destination !== "" || resolution === "timeout" ? "pay" : null;
  }

  async function end(tx: Write, held: HeldSignal, ending: Ending): Promise<boolean> {
    const { key, role, signal } = held;
    const due = dueOf(held, ending);
    if (!(await setEnded(tx, key, { ...ending, due }, clock.now()))) return false;
    if (due !== null) tx.afterCommit(() => settleSoon(key));
    const { signal_id, amount } = signal;
    if (role === "originator" && due === null) {
      await log(tx, "antimatter_kept", { signal_id, reason: "terminal_node", amount });
    }
    return true;
  }

  /** The time of a signal ran out: whoever we handed it to did not bring it to its end. */
  async function timeOut(held: HeldSignal): Promise<void> {
    const { key, role, handedTo, signal } = held;
    await db.write(async (tx) => {
      if (role === "holder") return setPassedOn(tx, key, clock.now());
      if (!(await end(tx, held, { resolution: "timeout", destination: "", resolvedBy: "" }))) return;
      const { signal_id, amount } = signal;
      await log(tx, "antimatter_timeout", { signal_id, amount, handed_to: handedTo });
      if (handedTo === null || !(await connections.has(tx, handedTo))) return;
      await impressions.nudge(tx, handedTo, TIMEOUT_LOSS);
      tx.afterCommit(() => {
        const except = [signal.sender_agent_id];
        background.start("antimatter.report", () => reports.tell(signal_id, handedTo, except));
      });
    });
  }

  async function begin(tx: Write, payment: ReceivedPayment): Promise<void> {
    if (!payment.antimatterEligible) return;
    const rate = await rateFor(tx, payment);
    const fee = feeOf(payment.raw, rate);
    if (fee <= 0n) return;
    const { peer, txSignature, token, decimals, senderSuperagentWallet: named } = payment;
    // Any other text of the payer's would keep the signal from being taken by anybody.
    const senderSuperagentWallet = isWallet(named) ? named : "";
    const signal: Signal = {
      signal_id: newId("am", random),
      original_tx: txSignature,
      sender_agent_id: peer,
      amount: numberOf(fee, decimals),
      token,
      token_decimals: decimals,
      sender_superagent_wallet: senderSuperagentWallet,
      callback_url: "",
      hops: 0,
      max_hops: HOPS_MAX,
      created_at: isoTime(clock.now()),
      path: [],
    };
    const payer = await connections.get(tx, peer);
    const isNew = await insertSignal(tx, {
      key: signal.signal_id,
      role: "originator",
      signal,
      handoffs: [],
      fee: amountOf(fee, decimals),
      payerWallet: (payer && walletOf(payer)) ?? "",
      deadlineMs: clock.now() + WATCHDOG_MS,
    });
    if (!isNew) return;
    const { signal_id, original_tx, amount, sender_agent_id, sender_superagent_wallet } = signal;
    const what = { signal_id, original_tx, amount, token, token_decimals: decimals };
    await log(tx, "antimatter_initiated", { ...what, sender_agent_id, sender_superagent_wallet });
    tx.afterCommit(() => playSoon(signal_id));
  }

  /** The rate both mean; a payer that means another costs itself trust, and the fee is the network's 1 %. */
  async function rateFor(tx: Write, payment: ReceivedPayment): Promise<number> {
    const { peer, antimatterRate: told = FEE_RATE, txSignature } = payment;
    if (agreesOnRate(told)) return told;
    await impressions.nudge(tx, peer, DISAGREEMENT_LOSS);
    await log(tx, "rate_disagreement", { original_tx: txSignature, sender_agent_id: peer, rate: told });
    return FEE_RATE;
  }

  /** A peer that signs what it hands on must have signed this. Throws FORBIDDEN. */
  async function checkBringer(signal: Signal, handoffs: readonly Handoff[]): Promise<void> {
    const before = signal.path.at(-1) ?? "";
    if (handoffs.length === 0) {
      if (!speaks(await connections.get(db, before), "antimatter/1")) return;
      throw meshError("FORBIDDEN", "This agent signs what it hands on.");
    }
    const isWhole = handoffs.at(-1)?.from === before;
    if (!isWhole || !(await leadsFrom(handoffs, { from: undefined, to: self, signal }, verifier))) {
      throw meshError("FORBIDDEN", "Invalid handoffs");
    }
  }

  return {
    sessions: createSessions(ports),
    begin,
    onStored: reports.onStored,
    log: readLog,

    async takeSignal(body) {
      const signal = parseSignal(body);
      const handoffs = handoffsIn(body.handoffs);
      const refused = refusalOf(signal, self, clock.now());
      if (refused) throw meshError("BAD_REQUEST", refused);
      await checkBringer(signal, handoffs);
      const key = sha256Hex(canonicalJson({ ...signal, path: [...signal.path] }));
      await db.write(async (tx) => {
        if ((await countOpenOfOthers(tx)) >= OPEN_OF_OTHERS_MAX) {
          throw meshError("TOO_MANY", "Too many AntiMatter signals at once");
        }
        const deadlineMs = Math.ceil(parseTime(signal.created_at) ?? clock.now()) + WATCHDOG_MS;
        const held = { key, role: "holder" as const, signal, handoffs, fee: "", payerWallet: "", deadlineMs };
        // The same signal again is the one we have.
        if (!(await insertSignal(tx, held))) return;
        const { signal_id, hops, amount, token } = signal;
        await log(tx, "gas_signal_received", { signal_id, hops, amount, token });
        tx.afterCommit(() => playSoon(key));
      });
    },

    async takeResult(body) {
      const signalId = signalIdIn(body);
      const held = await readAnswerable(db, signalId);
      if (!held) throw meshError("NOT_FOUND", "Unknown signal");
      if (held.state === "ended") return "already_resolved";
      await checkTeller(held, body, self, verifier, clock.now());
      const ending = endingIn(body, new Set([held.payerWallet, money.ownWallet()]));
      const isFirst = await db.write((tx) => end(tx, held, ending));
      return isFirst ? "resolved" : "already_resolved";
    },

    async attend() {
      const nowMs = clock.now();
      for (const held of await readLive(db)) {
        if (held.deadlineMs <= nowMs) await timeOut(held);
        else if (held.state === "open") playSoon(held.key);
      }
      await settling.settleDue();
    },

    async forget() {
      const nowMs = clock.now();
      await db.write(async (tx) => {
        await pruneSignals(tx, nowMs - FORGET_SIGNALS_AFTER_MS);
        await pruneReports(tx, nowMs - FORGET_REPORTS_AFTER_MS);
      });
    },
  };
}
