import { isoTime, MINUTE_MS, parseTime } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Guard } from "@darkmatter/surface";
import { refusal } from "@darkmatter/surface";
import { readSetting, writeSetting } from "../identity/identity.store.ts";
import type { MeshPorts } from "../ports.ts";

export type Status = "active" | "inactive";

export const INACTIVE_MINUTES_DEFAULT = 60;
export const INACTIVE_MINUTES_MAX = 1440;

/** Whether this agent takes messages and requests now. A restart is active. */
export interface Presence {
  status(): Status;
  /** When an inactive agent becomes active again (ISO 8601). */
  inactiveUntil(): string | null;
  /** `durationMinutes` counts only for inactive; `null` stays inactive until told otherwise. */
  set(tx: Write, status: Status, durationMinutes: number | null): Promise<string | null>;
  /** Answers 503 while inactive. */
  readonly guard: Guard;
  /** Becomes active again when the time is over; whether it did. */
  reactivate(tx: Write): Promise<boolean>;
  isOver(): boolean;
  /** Starts active, whatever was stored. */
  restart(tx: Write): Promise<void>;
  load(tx: Read): Promise<void>;
}

export function createPresence({ clock }: MeshPorts): Presence {
  let current: { status: Status; untilMs: number | null } = { status: "active", untilMs: null };

  const isOver = () => current.untilMs !== null && clock.now() >= current.untilMs;
  const status = (): Status => (isOver() ? "active" : current.status);

  async function save(tx: Write, next: typeof current): Promise<void> {
    await writeSetting(tx, "status", next.status);
    await writeSetting(tx, "inactive_until", next.untilMs === null ? undefined : isoTime(next.untilMs));
    tx.afterCommit(() => {
      current = next;
    });
  }

  return {
    status,
    isOver,
    inactiveUntil: () => (current.untilMs === null || isOver() ? null : isoTime(current.untilMs)),
    guard: () => (status() === "active" ? undefined : refusal(503, "Agent is currently inactive")),

    async set(tx, wanted, durationMinutes) {
      const timed = wanted === "inactive" && durationMinutes !== null;
      const untilMs = timed ? clock.now() + durationMinutes * MINUTE_MS : null;
      await save(tx, { status: wanted, untilMs });
      return untilMs === null ? null : isoTime(untilMs);
    },

    async reactivate(tx) {
      if (!isOver()) return false;
      await save(tx, { status: "active", untilMs: null });
      return true;
    },

    restart: (tx) => save(tx, { status: "active", untilMs: null }),

    async load(tx) {
      const until = await readSetting(tx, "inactive_until");
      const stored = (await readSetting(tx, "status")) === "inactive" ? "inactive" : "active";
      current = { status: stored, untilMs: until === undefined ? null : (parseTime(until) ?? null) };
    },
  };
}
