import { reasonOf } from "@darkmatter/core";
import { pino } from "pino";
import { openLogFile } from "./log-file.ts";

/** A log grows to this; then it becomes the one old log and another begins. */
const LOG_BYTES_MAX = 5 * 1024 * 1024;

export interface Log extends Disposable {
  info(event: string, context?: Readonly<Record<string, string | number>>): void;
  warn(event: string, context?: Readonly<Record<string, string | number>>): void;
  /** Begins another file when this one is full. A job calls it. */
  turnOver(): void;
}

/** Writes events as lines of JSON to a file; synchronous, so that what a dying process said is there. */
export function openLog(path: string, bytesMax = LOG_BYTES_MAX): Log {
  const file = openLogFile(path, bytesMax);
  const logger = pino({ base: { pid: process.pid } }, file);
  const log: Log = {
    info: (event, context) => logger.info({ ...context }, event),
    warn: (event, context) => logger.warn({ ...context }, event),
    turnOver: () => file.turnOver(),
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
  try {
    log.turnOver();
  } catch (error) {
    // As good as a file that is not full yet: the job tries again.
    log.warn("log.full", { reason: reasonOf(error) });
  }
  return log;
}
