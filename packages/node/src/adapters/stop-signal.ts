/** A stop that takes longer than this is cut short: the database has what was answered either way. */
const STOP_MS = 8000;

/**
 * Aborts when this process is asked to stop (Ctrl-C, a terminal that closes, `kill`). Asked twice, or not done in
 * time, it ends at once.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    setTimeout(() => process.exit(1), STOP_MS).unref();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  return stopping.signal;
}
