import { type Clock, type Random, SECOND_MS } from "@darkmatter/core";
import type { Database } from "@darkmatter/store";
import type { Background } from "../background.ts";
import type { Attempts } from "./attempts.ts";
import { PAUSE_MOST_MS, pauseAfter } from "./copy.ts";
import type { Delivery } from "./deliver.ts";
import { postponeCopies, readDueTimes, readWaiting } from "./outbox.store.ts";

/** What waits for each agent, one lane an agent: in order, one attempt at a time, and one that is away is asked once. */
export interface Lanes {
  /** Takes over what waits on disk. */
  load(): Promise<void>;
  /** Whether something waits for an agent, so that what is new has to wait its turn. */
  has(agentId: string): boolean;
  /** An attempt was in vain, and the next is due then. `isBusy`: the agent takes nothing for now. */
  wait(agentId: string, nextAtMs: number, isBusy: boolean): void;
  /** Goes through everything that waits for an agent, in order, due or not; resolves when it has. */
  run(agentId: string): Promise<void>;
  /** An agent was heard: what waits for it goes out at once. */
  heard(agentId: string): void;
  /** We may be reached, and reach others, again: everything that waits goes out at once. */
  rejoined(): void;
  /** Starts the lanes that are due. */
  runDue(): void;
}

interface Lane {
  nextAtMs: number;
  running: Promise<void> | undefined;
  /** Heard since its present run began. */
  isHeard: boolean;
  /** It was not reached for some copy, which waits for its time. */
  isMissed: boolean;
  /** It answered that it takes nothing for now: that it is heard changes nothing. */
  isBusy: boolean;
  /** Attempts in vain in a row, of whatever copy, each after its pause: how much is sent meanwhile makes none longer. */
  failures: number;
  /** When runs began that hearing the agent started. */
  surges: number[];
}

/** An agent that is heard, but not reached, must not be tried as often as it speaks. */
const SURGES_MAX = 3;
const SURGE_WITHIN_MS = 10 * SECOND_MS;
/** As long as a first attempt by two ways may take: who is heard while one is under way has no lane yet. */
const JUST_HEARD_MS = 12 * SECOND_MS;
const JUST_HEARD_MAX = 1000;
/** Copies read at once. */
const BATCH = 20;
/** A copy that fails for itself must not hold up the others; several in a row are no accident. */
const FAILURES_IN_A_ROW = 3;

export function createLanes(
  { db, clock, random }: { readonly db: Database; readonly clock: Clock; readonly random: Random },
  background: Background,
  { attempt, isUnderway }: Attempts,
): Lanes {
  const lanes = new Map<string, Lane>();
  /** When agents without a lane were last heard, by the monotonic clock. */
  const heardAtMs = new Map<string, number>();

  function laneOf(agentId: string): Lane {
    const known = lanes.get(agentId);
    if (known) return known;
    const calm = { isHeard: false, isMissed: false, isBusy: false, failures: 0, surges: [] };
    const lane: Lane = { nextAtMs: clock.now(), running: undefined, ...calm };
    lanes.set(agentId, lane);
    return lane;
  }

  /** Goes through the copies that are due; what stopped it, if anything did, and whether there was anything to try. */
  async function pass(agentId: string, lane: Lane): Promise<{ stop: Delivery | undefined; tried: boolean }> {
    let after = 0;
    let failures = 0;
    let tried = false;
    for (;;) {
      const batch = await readWaiting(db, agentId, after, clock.now(), BATCH);
      for (const copy of batch) {
        after = copy.seq;
        if (isUnderway(copy)) continue;
        const delivery = await attempt(copy);
        tried = true;
        lane.isMissed ||= delivery?.kind === "unreached";
        lane.isHeard ||= delivery?.kind === "took";
        if (!delivery || delivery.kind === "took" || delivery.kind === "refused") failures = 0;
        else if (delivery.kind !== "relayed" && stops(delivery, ++failures)) return { stop: delivery, tried };
      }
      if (batch.length < BATCH) return { stop: undefined, tried };
    }
  }

  async function drain(agentId: string, lane: Lane): Promise<void> {
    for (;;) {
      lane.isHeard = false;
      const pausedUntilMs = isPaused(lane) ? lane.nextAtMs : undefined;
      const { stop, tried } = await pass(agentId, lane);
      lane.isBusy = stop?.kind === "later";
      if (!stop) lane.failures = 0;
      else if (pausedUntilMs === undefined) lane.failures++;
      // Its own answer is a sign of life too, and no reason to try again what it has just answered.
      const isMissed = stop ? stop.kind === "unreached" : lane.isMissed;
      const isBack = isMissed && lane.isHeard && takeSurge(lane);
      if (isBack) lane.isMissed = false;
      const pause = () => pausedUntilMs ?? clock.now() + pauseAfter(lane.failures, random);
      const nextAtMs = stop && !isBack ? pause() : clock.now();
      if (stop || isBack) await db.write((tx) => postponeCopies(tx, agentId, nextAtMs));
      const due = (await readDueTimes(db)).get(agentId);
      if (due === undefined) return void lanes.delete(agentId);
      lane.nextAtMs = due;
      // What came meanwhile goes out now.
      if (!isBack && (stop || !tried || due > clock.now())) return;
    }
  }

  /** No pause is longer than the longest: then the clock was set back. */
  function isPaused({ nextAtMs }: Lane): boolean {
    const leftMs = nextAtMs - clock.now();
    return leftMs > 0 && leftMs <= PAUSE_MOST_MS;
  }

  function takeSurge(lane: Lane): boolean {
    const nowMs = clock.monotonic();
    lane.surges = lane.surges.filter((atMs) => nowMs - atMs < SURGE_WITHIN_MS);
    if (lane.surges.length >= SURGES_MAX) return false;
    lane.surges.push(nowMs);
    return true;
  }

  function run(agentId: string): Promise<void> {
    const lane = laneOf(agentId);
    lane.running ??= drain(agentId, lane).finally(() => {
      lane.running = undefined;
    });
    return lane.running;
  }

  function heard(agentId: string): void {
    const lane = lanes.get(agentId);
    if (!lane) {
      if (heardAtMs.size >= JUST_HEARD_MAX) heardAtMs.clear();
      heardAtMs.set(agentId, clock.monotonic());
      return;
    }
    lane.isHeard = true;
    if (lane.running || lane.isBusy || !takeSurge(lane)) return;
    background.start("outbox.heard", () => runAll(agentId), agentId);
  }

  return {
    async load() {
      for (const [agentId, nextAtMs] of await readDueTimes(db)) laneOf(agentId).nextAtMs = nextAtMs;
    },

    has: (agentId) => lanes.has(agentId),

    wait(agentId, nextAtMs, isBusy) {
      const isNew = !lanes.has(agentId);
      const lane = laneOf(agentId);
      lane.nextAtMs = isNew ? nextAtMs : Math.min(lane.nextAtMs, nextAtMs);
      lane.failures ||= 1;
      lane.isMissed ||= !isBusy;
      lane.isBusy ||= isBusy;
      // It said where it is while the attempt went to where it was.
      const heardMs = heardAtMs.get(agentId) ?? Number.NEGATIVE_INFINITY;
      if (isNew && clock.monotonic() - heardMs < JUST_HEARD_MS) heard(agentId);
    },

    run: runAll,

    heard,

    rejoined() {
      for (const [agentId, lane] of lanes) {
        // The attempt under way goes where nobody may be any more: the next follows it at once.
        lane.isHeard = true;
        background.start("outbox.rejoined", () => runAll(agentId), agentId);
      }
    },

    runDue() {
      for (const [agentId, lane] of lanes) {
        if (lane.running || isPaused(lane)) continue;
        // What waits on disk is not due by a clock that was set back.
        const start = lane.nextAtMs > clock.now() ? runAll : run;
        background.start("outbox.due", () => start(agentId), agentId);
      }
    },
  };

  /** Everything that waits, due or not. */
  async function runAll(agentId: string): Promise<void> {
    await db.write((tx) => postponeCopies(tx, agentId, clock.now()));
    await run(agentId);
  }
}

function stops(delivery: Delivery, failuresInARow: number): boolean {
  if (delivery.kind === "unreached" && !delivery.left) return true;
  if (delivery.kind === "later" && delivery.busy) return true;
  return failuresInARow >= FAILURES_IN_A_ROW;
}
