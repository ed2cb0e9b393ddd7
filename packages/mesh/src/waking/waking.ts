import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Background } from "../background.ts";
import { CHALLENGE_LIFETIME_MS, type PendingRequest } from "../connections/connection.ts";
import { readRequest } from "../connections/requests.store.ts";
import type { Delegations } from "../delegation/delegations.ts";
import { subjectOf, type Work } from "../delegation/work.ts";
import type { Impressions } from "../impressions/impressions.ts";
import { type InboxMessage, isControl } from "../messages/message.ts";
import { readInbox, readTally } from "../messages/messages.store.ts";
import type { StoredMessage } from "../messages/stored.ts";
import type { MeshPorts } from "../ports.ts";
import type { Presence } from "../presence/presence.ts";
import type { Giving } from "../receipts/giving.ts";
import type { Alertness, Look } from "./alertness.ts";
import { mayWake } from "./unread.ts";
import {
  insertWaiter,
  noteAsk,
  pruneWakings,
  readAsked,
  readAsks,
  readDueWaiters,
  readNextStep,
  readWaiter,
  saveStep,
  type Waiter,
  type WayName,
} from "./waking.store.ts";
import type { Summons, Way } from "./ways.ts";

/** Waking our agent when it sleeps: by its client's push channel, a hook, a helper, or not at all (mesh.md 14, 22.2). */
export interface Waking {
  /**
   * Notes, in the transaction that decided HANDLE, that the agent is to be woken for a message; asking starts after
   * the commit, and goes on after a restart. Does nothing for a message that must not wake anybody: a broadcast, that
   * of a stranger below the least trust, that of a peer scored below zero, one between nodes (a farewell, a payment
   * notice, a report); nor for any while there is nobody who could be asked.
   */
  wake(tx: Write, message: StoredMessage): Promise<void> | undefined;
  /** The same for a connection request; only of an agent that is trusted already. */
  request(tx: Write, request: PendingRequest): Promise<void>;
  /** Takes the steps that are due. */
  advance(): Promise<void>;
  /** A helper made its first call. */
  helperCame(subject: string): Promise<void>;
  /** Takes up what an earlier run of this node left. */
  load(): Promise<void>;
  prune(): Promise<void>;
  close(): Promise<void>;
}

export interface WakingServices {
  readonly alertness: Alertness;
  readonly background: Background;
  readonly delegations: Delegations | undefined;
  readonly giving: Giving;
  readonly impressions: Impressions;
  readonly presence: Presence;
  readonly channel: Way;
  readonly hook: Way & { close(): Promise<void> };
}

/** One ask of a way is for all that came within this time. */
export const COALESCE_MS = 5 * SECOND_MS;
/** How often a way is asked within an hour, whatever comes. */
export const ASKS_PER_HOUR_MAX = 30;
const AWAKE_PAUSE_MS = 5 * SECOND_MS;
const PROOF_PAUSE_MS = 2 * SECOND_MS;
const INACTIVE_PAUSE_MS = MINUTE_MS;
const BATCH = 100;
/** Long enough that no message in the inbox wakes anybody a second time. */
const KEPT_MS = 30 * DAY_MS;

const ORDER = ["channel", "hook", "delegation"] as const satisfies readonly WayName[];

/** What a step of one waiter comes to: a way that is to be asked, or nothing more now. */
type Step = { readonly way: Way; readonly summons: Summons } | undefined;

export function createWaking(ports: MeshPorts, services: WakingServices): Waking {
  const { db, clock, config } = ports;
  const { alertness, background, delegations, giving, impressions, presence } = services;
  const ways: Readonly<Record<"channel" | "hook", Way>> = { channel: services.channel, hook: services.hook };
  /** Asked and not seen since: by which way, and for the channel which sessions. */
  const asked = new Map<string, { readonly way: WayName; readonly sessions: ReadonlySet<string> }>();
  let nextAtMs = Number.POSITIVE_INFINITY;
  let advancing: Promise<void> | undefined;

  const soon = () => background.start("waking.advanced", () => advance());

  /** Whether there is anybody to ask in the name of a peer of this score: most messages should cost no more than that. */
  const canAsk = (score: number): boolean =>
    ways.channel.isThere() || ways.hook.isThere() || delegations?.mayTake(score) === true;

  async function noteMessage(tx: Write, subject: string): Promise<void> {
    const { handled, broadcasts } = await readTally(tx);
    await note(tx, { kind: "message", subject, arrival: handled - broadcasts });
  }

  async function note(tx: Write, what: Pick<Waiter, "kind" | "subject" | "arrival">): Promise<void> {
    if (!(await insertWaiter(tx, { ...what, notedAtMs: clock.now() }))) return;
    tx.afterCommit(() => {
      nextAtMs = 0;
      soon();
    });
  }

  function advance(): Promise<void> {
    advancing ??= steps().finally(() => {
      advancing = undefined;
    });
    return advancing.catch((error: unknown) => {
      nextAtMs = clock.now() + AWAKE_PAUSE_MS;
      throw error;
    });
  }

  async function steps(): Promise<void> {
    while (nextAtMs <= clock.now()) {
      nextAtMs = Number.POSITIVE_INFINITY;
      const asking = await db.write(stepsOf);
      // Beside the next steps: whoever is called may take its time.
      for (const [way, summons] of asking) background.start("waking.asked", () => ask(way, summons));
      nextAtMs = Math.min(nextAtMs, (await readNextStep(db)) ?? Number.POSITIVE_INFINITY);
    }
  }

  /** Takes the steps that are due, in one act; who is to be asked for what. */
  async function stepsOf(tx: Write): Promise<ReadonlyMap<Way, readonly Summons[]>> {
    const asking = new Map<Way, Summons[]>();
    for (const waiter of await readDueWaiters(tx, clock.now(), BATCH)) {
      const step = await stepOf(tx, waiter, asking);
      if (step) asking.set(step.way, [...(asking.get(step.way) ?? []), step.summons]);
    }
    return asking;
  }

  async function ask(way: Way, summons: readonly Summons[]): Promise<void> {
    const [first, ...rest] = summons;
    if (!first) return;
    // Nobody was asked: the next way need not wait for anybody.
    const inVain = () => background.start("waking.in-vain", () => hurry(summons, way.name));
    if (!(await way.ask([first, ...rest], inVain))) await hurry(summons, way.name);
  }

  function hurry(summons: readonly Summons[], by: WayName): Promise<void> {
    return db.write(async (tx) => {
      for (const { subject } of summons) {
        const waiter = await readWaiter(tx, subject);
        if (waiter?.way !== by || waiter.nextAtMs === null) continue;
        await saveStep(tx, subject, { ...waiter, nextAtMs: clock.now() });
      }
      tx.afterCommit(() => {
        nextAtMs = 0;
        soon();
      });
    });
  }

  /** What is there to do for a waiter, decided and recorded in one transaction. */
  async function stepOf(tx: Write, waiter: Waiter, asking: ReadonlyMap<Way, unknown>): Promise<Step> {
    const nowMs = clock.now();
    const work = await workOf(tx, waiter);
    if (!work) return end(tx, waiter);
    const pauseMs = pauseOf(waiter, work);
    if (pauseMs === "told" || pauseMs === "unproven") return end(tx, waiter);
    if (pauseMs > 0) return later(tx, waiter, nowMs + pauseMs);
    for (const [at, name] of ORDER.entries()) {
      if (at < waiter.step) continue;
      const behind = { ...waiter, step: at + 1, way: name };
      if (name === "delegation") return hand(tx, behind, work, waiter.way === null);
      const way = ways[name];
      if (!way.isThere()) continue;
      const untilMs = await restUntil(tx, way, asking.has(way));
      if (untilMs > nowMs) return later(tx, waiter, untilMs);
      await summon(tx, behind, work, nowMs + way.withinMs, waiter.way === null);
      if (!asking.has(way)) await noteAsk(tx, name, nowMs);
      return { way, summons: summonsOf(work) };
    }
    return end(tx, waiter);
  }

  /** How long a waiter is left alone; `told` when its agent knows of it, `unproven` when anybody may have sent it. */
  function pauseOf(waiter: Waiter, { work }: Handled): number | "told" | "unproven" {
    const { way, notedAtMs, arrival } = waiter;
    if (presence.status() !== "active") return INACTIVE_PAUSE_MS;
    // Anybody can ask in a trusted agent's name; its proof comes in a call of its own.
    if (work.kind === "request" && !work.request.proven)
      return clock.now() - notedAtMs < CHALLENGE_LIFETIME_MS ? PROOF_PAUSE_MS : "unproven";
    if (way !== null) return 0;
    // Every result of a tool says how many messages are new since the last one.
    const isTold =
      arrival === null ? alertness.requestsToldAtMs() > notedAtMs : arrival <= alertness.toldOf();
    if (isTold) return "told";
    return alertness.isAwake(notedAtMs) ? AWAKE_PAUSE_MS : 0;
  }

  /** Until when a way is not asked: one ask is for a whole burst, and an hour has only so many. */
  async function restUntil(tx: Read, way: Way, isAsking: boolean): Promise<number> {
    if (isAsking) return 0;
    const asks = await readAsks(tx, way.name, clock.now() - HOUR_MS);
    const last = asks.at(-1);
    const rest = last === undefined ? 0 : last + COALESCE_MS;
    const full = asks.length >= ASKS_PER_HOUR_MAX ? (asks.at(-ASKS_PER_HOUR_MAX) ?? 0) + HOUR_MS : 0;
    return Math.max(rest, full);
  }

  async function hand(tx: Write, waiter: Waiter, work: Handled, isFirst: boolean): Promise<undefined> {
    const handed = await delegations?.hand(tx, work.work);
    if (handed?.kind === "handed")
      await summon(tx, waiter, work, clock.now() + config.agent.timeoutMs, isFirst);
    // One that found no place is handed later by itself: `onStarted` tells of it.
    else await end(tx, waiter);
    return undefined;
  }

  /** Records that the agent is asked, before it is: it may answer at once. */
  async function summon(
    tx: Write,
    waiter: Waiter,
    { message }: Handled,
    untilMs: number,
    isFirst: boolean,
  ): Promise<void> {
    const { subject, way } = waiter;
    if (way === null) return;
    await saveStep(tx, subject, { ...waiter, nextAtMs: untilMs });
    if (message) await giving.asked(tx, message, way, isFirst);
    tx.afterCommit(() => {
      asked.set(subject, { way, sessions: new Set(alertness.pushable().keys()) });
      nextAtMs = Math.min(nextAtMs, untilMs);
    });
  }

  async function end(tx: Write, waiter: Waiter): Promise<undefined> {
    await saveStep(tx, waiter.subject, { ...waiter, nextAtMs: null });
    tx.afterCommit(() => void asked.delete(waiter.subject));
    return undefined;
  }

  async function later(tx: Write, waiter: Waiter, atMs: number): Promise<undefined> {
    await saveStep(tx, waiter.subject, { ...waiter, nextAtMs: atMs });
    return undefined;
  }

  function looked({ session }: Look): void {
    if (asked.size === 0) return;
    const seen = [...asked].filter(([, { way, sessions }]) => isProof(way, sessions, session));
    if (seen.length === 0) return;
    background.start("waking.seen", () => woken(seen.map(([subject]) => subject)));
  }

  /** The agent really started: of each that was asked and has not been seen yet, its author may hear so. */
  async function woken(subjects: readonly string[]): Promise<void> {
    await db.write(async (tx) => {
      for (const subject of subjects) {
        const waiter = await readWaiter(tx, subject);
        if (!waiter?.way || waiter.nextAtMs === null) continue;
        const message = waiter.kind === "message" ? await readInbox(tx, subject) : undefined;
        if (message) await giving.give(tx, message, "woken", waiter.way);
        await end(tx, waiter);
      }
    });
  }

  alertness.onLook(looked);
  delegations?.onStarted((_delegation, work) => {
    const subject = subjectOf(work);
    if (asked.has(subject)) return;
    background.start("waking.helper-started", () => db.write((tx) => lateHelper(tx, subject)));
  });

  /** A helper that had to wait for its place. */
  async function lateHelper(tx: Write, subject: string): Promise<void> {
    const waiter = await readWaiter(tx, subject);
    const work = waiter && (await workOf(tx, waiter));
    if (!waiter || !work || waiter.nextAtMs !== null) return;
    const step = { ...waiter, step: ORDER.length, way: "delegation" } as const;
    await summon(tx, step, work, clock.now() + config.agent.timeoutMs, waiter.way === null);
  }

  return {
    wake(tx, { messageId, metadata, broadcast, connected, score }) {
      if (broadcast || isControl(metadata)) return undefined;
      if (!mayWake(connected, score, config.agent.minTrust)) return undefined;
      return canAsk(score) ? noteMessage(tx, messageId) : undefined;
    },

    async request(tx, { requestId, agentId }) {
      const score = (await impressions.of(tx, agentId))?.score ?? 0;
      if (score < config.agent.minTrust || !canAsk(score)) return;
      await note(tx, { kind: "request", subject: requestId, arrival: null });
    },

    advance,
    helperCame: async (subject) => (asked.get(subject)?.way === "delegation" ? woken([subject]) : undefined),

    async load() {
      for (const { subject, way } of await readAsked(db)) {
        // Whoever was pushed to has another session by now.
        if (way !== null) asked.set(subject, { way, sessions: new Set() });
      }
      nextAtMs = (await readNextStep(db)) ?? Number.POSITIVE_INFINITY;
    },

    prune: () => db.write((tx) => pruneWakings(tx, clock.now() - KEPT_MS, clock.now() - HOUR_MS)),
    close: () => services.hook.close(),
  };
}

/**
 * Whether a look shows that a way worked: a channel's only that of a session that was pushed to; a hook's anybody's,
 * since whom it wakes nobody knows; a helper says so by its own first call.
 */
function isProof(way: WayName, sessions: ReadonlySet<string>, session: string | undefined): boolean {
  if (way === "channel") return session !== undefined && sessions.has(session);
  return way === "hook";
}

interface Handled {
  readonly work: Work;
  readonly message: InboxMessage | undefined;
}

/** What a waiter waits for, while it still does: unread, undecided. */
async function workOf(tx: Read, { kind, subject }: Waiter): Promise<Handled | undefined> {
  if (kind === "request") {
    const request = await readRequest(tx, subject);
    return request && { work: { kind, request }, message: undefined };
  }
  const message = await readInbox(tx, subject);
  return message && !message.read ? { work: { kind, message }, message } : undefined;
}

function summonsOf({ work }: Handled): Summons {
  return work.kind === "message"
    ? { kind: "message", subject: work.message.messageId, from: work.message.from }
    : { kind: "request", subject: work.request.requestId, from: work.request.agentId };
}
