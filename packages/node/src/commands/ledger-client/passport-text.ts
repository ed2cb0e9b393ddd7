import { systemClock } from "@darkmatter/core";
import type { Passport } from "../../ledger-client/answers.ts";
import { brief } from "../context.ts";
import { ageText } from "../history-text.ts";

const EVENT_WIDTH_MIN = 12;

export const isSoundPassport = ({ integrity }: Passport): boolean =>
  integrity.verification_status !== "broken";

/** `✓` for what the server found whole, `✗` for what is broken, `?` where its payload is gone. */
function markOf({ integrity }: Passport): string {
  return { valid: "✓", broken: "✗" }[integrity.verification_status ?? ""] ?? "?";
}

/** One line each, numbered from 1: `  1  ✓     12 s  ctx_…  commit        claude-sonnet-4  planner  trc_…` */
export function passportLines(passports: readonly Passport[], nowMs = systemClock.now()): string[] {
  const eventWidth = Math.max(EVENT_WIDTH_MIN, ...passports.map((passport) => eventOf(passport).length));
  return passports.map((passport, at) => lineOf(passport, at + 1, eventWidth, nowMs));
}

const eventOf = ({ event }: Passport) => brief(event.label ?? event.type, 24);

function lineOf(passport: Passport, index: number, eventWidth: number, nowMs: number): string {
  const { id, created_by, trace_id, created_at, integrity } = passport;
  const age = ageText(nowMs - (Date.parse(created_at) || nowMs)).padStart(7);
  const words = [
    eventOf(passport).padEnd(eventWidth),
    brief(created_by.model ?? "-", 30).padEnd(14),
    brief(created_by.agent_name ?? created_by.agent_id, 30),
    brief(trace_id ?? "", 60),
  ];
  const why = isSoundPassport(passport) ? "" : `  (${brief(integrity.verification_reason ?? "broken", 80)})`;
  return `${String(index).padStart(3)}  ${markOf(passport)}  ${age}  ${brief(id, 40)}  ${words.join("  ").trimEnd()}${why}`;
}

/** A value as one line, cut to a length. */
export function valueText(value: unknown, max: number): string {
  return brief(typeof value === "string" ? value : (JSON.stringify(value) ?? ""), max);
}
