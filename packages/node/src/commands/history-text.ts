import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "@darkmatter/core";

/** How many commits `recent` shows, of whatever ledger. */
export const RECENT_DEFAULT = 20;

/** `12 s`, `5 min`, `3 h`, `4 d`; a time that is still to come by this clock is `0 s`. */
export function ageText(ageMs: number): string {
  const units = [
    [DAY_MS, "d"],
    [HOUR_MS, "h"],
    [MINUTE_MS, "min"],
  ] as const;
  const [unitMs, name] = units.find(([least]) => ageMs >= least) ?? [SECOND_MS, "s"];
  return `${Math.max(0, Math.floor(ageMs / unitMs))} ${name}`;
}

export function stepsText(count: number): string {
  return count === 1 ? "1 step" : `${count} steps`;
}
