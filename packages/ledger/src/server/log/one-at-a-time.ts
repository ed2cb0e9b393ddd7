/**
 * Runs an act never twice at once: who asks while it runs shares the next run, so that each call's promise resolves
 * after a run that began after it was asked for.
 */
export function oneAtATime(act: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        running = act();
        return running;
      });
    return next;
  };
}
