import { isJsonObject, systemClock } from "@darkmatter/core";
import type { Passport } from "../../ledger-client/answers.ts";
import { brief } from "../context.ts";
import { ageText } from "../history-text.ts";

const EVENT_WIDTH_MIN = 12;
const WORDS_MAX = 80;

export const isSoundPassport = ({ integrity }: Passport): boolean =>
  integrity.verification_status !== "broken";

/** `✓` for what the server found whole, `✗` for what is broken, `?` where its payload is gone. */
function markOf({ integrity }: Passport): string {
  return { valid: "✓", broken: "✗" }[integrity.verification_status ?? ""] ?? "?";
}

interface Shown {
  /** From 1: for the one list whose numbers other commands take. */
  readonly isNumbered?: boolean;
  readonly nowMs?: number;
}

/** One line each: `  1  ✓     12 s  ctx_…  commit        claude-sonnet-4  planner  trc_…` */
export function passportLines(
  passports: readonly Passport[],
  { isNumbered = false, nowMs = systemClock.now() }: Shown = {},
): string[] {
  const eventWidth = Math.max(EVENT_WIDTH_MIN, ...passports.map((passport) => eventOf(passport).length));
  return passports.map((passport, at) => {
    const number = isNumbered ? `${String(at + 1).padStart(3)}  ` : "";
    return number + lineOf(passport, eventWidth, nowMs);
  });
}

const eventOf = ({ event }: Passport) => brief(event.label ?? event.type, 24);

function lineOf(passport: Passport, eventWidth: number, nowMs: number): string {
  const { id, created_by, trace_id, created_at, integrity } = passport;
  const createdMs = Date.parse(created_at);
  // Of a row that can no longer be read nobody knows when it was made.
  const age = (Number.isNaN(createdMs) ? "-" : ageText(nowMs - createdMs)).padStart(7);
  const words = [
    eventOf(passport).padEnd(eventWidth),
    brief(created_by.model ?? "-", 30).padEnd(14),
    brief(created_by.agent_name ?? created_by.agent_id, 30),
    brief(trace_id ?? "", 60),
  ];
  const why = isSoundPassport(passport) ? "" : `  (${brief(integrity.verification_reason ?? "broken", 80)})`;
  return `${markOf(passport)}  ${age}  ${brief(id, 40)}  ${words.join("  ").trimEnd()}${why}`;
}

/** When and by whom a commit was made, and how its payload begins. */
export function firstWords({ id, created_at, created_by, payload }: Passport): string {
  const { input, output } = isJsonObject(payload) ? payload : {};
  const words = valueText(output ?? input ?? payload ?? "(no payload)", WORDS_MAX);
  const by = brief(created_by.agent_name ?? created_by.agent_id, 60);
  return `${brief(id, 40)}, ${brief(created_at || "at a time nobody knows", 30)}, by ${by}: ${words}`;
}

/** A value as one line, cut to a length. */
export function valueText(value: unknown, max: number): string {
  return brief(typeof value === "string" ? value : (JSON.stringify(value) ?? ""), max);
}
