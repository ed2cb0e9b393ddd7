/** A line on the terminal that is written over; nothing where stderr is none. */
export interface Progress extends Disposable {
  show(text: string): void;
  clear(): void;
}

/** At most so often: a terminal is slower than what it tells of. */
const SHOWN_EVERY_MS = 100;
const ERASE_LINE = "\r\u001b[2K";

export function createProgress(isWanted: boolean): Progress {
  const isShown = isWanted && process.stderr.isTTY === true;
  let shownAt = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (isShown && shownAt > 0) process.stderr.write(ERASE_LINE);
  };
  return {
    show(text) {
      const now = performance.now();
      if (!isShown || now - shownAt < SHOWN_EVERY_MS) return;
      shownAt = now;
      process.stderr.write(`${ERASE_LINE}${text}`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}
