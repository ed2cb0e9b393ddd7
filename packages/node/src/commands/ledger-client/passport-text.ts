import { systemClock } from "@darkmatter/core";
import type { Passport } from "../../ledger-client/answers.ts";
import { brief } from "../context.ts";
import { ageText } from "../history-text.ts";

const EVENT_WIDTH = 12;

export const isSoundPassport = ({ integrity }: Passport): boolean =>
  integrity.verification_status !== "broken";

/** `✓` for what the server found whole, `✗` for what is broken, `?` where its payload is gone. */
function markOf({ integrity }: Passport): string {
  return { valid: "✓", broken: "✗" }[integrity.verification_status ?? ""] ?? "?";
}

/** `  1  ✓     12 s  ctx_…  commit        claude-sonnet-4  planner  trc_…` */
export function passportLine(passport: Passport, index: number, nowMs = systemClock.now()): string {
  const { id, event, created_by, trace_id, created_at, integrity } = passport;
  const age = ageText(nowMs - (Date.parse(created_at) || nowMs)).padStart(7);
  const words = [
    brief(event.label ?? event.type, 24).padEnd(EVENT_WIDTH),
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
