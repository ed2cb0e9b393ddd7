import { isoTime, type JsonObject } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { appendLog } from "./antimatter.store.ts";

/** What is worth a line, by the first generation's names (mesh.md 13). */
export type LogType =
  | "antimatter_initiated"
  | "rate_disagreement"
  | "gas_signal_received"
  | "forwarded"
  | "antimatter_sent"
  | "antimatter_kept"
  | "antimatter_send_failed"
  | "antimatter_resolved_callback"
  | "antimatter_callback_failed"
  | "antimatter_timeout";

export type Log = (tx: Write, type: LogType, fields: JsonObject) => Promise<void>;

/** Writes lines with their time (ISO 8601); the newest 100 are kept. */
export function createLog(clock: { now(): number }): Log {
  return (tx, type, fields) => appendLog(tx, { type, ...fields, timestamp: isoTime(clock.now()) });
}
