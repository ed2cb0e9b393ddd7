import { renameSync, statSync } from "node:fs";
import { type DestinationStream, destination, pino } from "pino";

/** A log grows to this; then it becomes the one old log and another begins. */
export const LOG_BYTES_MAX = 5 * 1024 * 1024;

export interface Log extends Disposable {
  info(event: string, context?: Readonly<Record<string, string | number>>): void;
  warn(event: string, context?: Readonly<Record<string, string | number>>): void;
  /** Begins another file when this one is full. A job calls it. */
  turnOver(): void;
}

/** Writes events as lines of JSON to a file; synchronous, so that what a dying process said is there. */
export function openLog(path: string, also?: DestinationStream): Log {
  const file = destination({ dest: path, mkdir: true, sync: true, mode: 0o600 });
  // A full disk must not end the node: what cannot be logged is not.
  file.on("error", () => undefined);
  const logger = pino({ base: { pid: process.pid } }, file);
  const people = also && pino({ base: null }, also);
  const fileThere = () => statSync(path, { throwIfNoEntry: false });
  let written = fileThere()?.ino;
  const turnOver = () => {
    const there = fileThere();
    if (!there || (there.ino === written && there.size < LOG_BYTES_MAX)) return;
    // Processes that share a database may share a log; another one may have begun the new file.
    if (there.ino === written) renameSync(path, `${path}.1`);
    file.reopen();
    written = fileThere()?.ino;
  };
  turnOver();
  return {
    info(event, context) {
      logger.info({ ...context }, event);
      people?.info({ ...context }, event);
    },
    warn(event, context) {
      logger.warn({ ...context }, event);
      people?.warn({ ...context }, event);
    },
    turnOver,
    [Symbol.dispose]: () => file.end(),
  };
}
