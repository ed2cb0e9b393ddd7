import type { Clock } from "@darkmatter/core";
import { netError } from "@darkmatter/net";
import { OVER } from "../over.ts";
import { STREAM_IDLE_MS, STREAM_MS } from "./upstream.ts";

export interface StreamWatch {
  /** Ends what brings the stream. */
  readonly stop: AbortController;
  /** The consumer left. */
  readonly gone: AbortSignal;
  /** Called once: `whole` when the stream ended by itself. Never rejects. */
  ended(whole: boolean): Promise<void>;
}

/**
 * A stream on its way to a consumer: piece by piece as it comes, ended when the consumer leaves, when nothing comes for
 * a minute, and after ten. However it ends, even when nobody ever reads it, `ended` is told.
 */
export function watched(
  clock: Clock,
  source: AsyncIterable<Uint8Array>,
  { stop, gone, ended }: StreamWatch,
): AsyncIterable<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  const over = new AbortController();
  let end: Promise<void> | undefined;

  function finish(whole: boolean): Promise<void> {
    end ??= (async () => {
      over.abort(OVER);
      gone.removeEventListener("abort", leave);
      stop.abort(OVER);
      await ended(whole);
    })();
    return end;
  }
  const leave = () => void finish(false);

  gone.addEventListener("abort", leave, { once: true });
  if (gone.aborted) leave();
  clock.sleep(STREAM_MS, over.signal).then(leave, () => undefined);

  /** @throws TIMEOUT when nothing comes */
  async function next(): Promise<IteratorResult<Uint8Array>> {
    const read = pieces.next();
    const isOver = new AbortController();
    const idle = clock.sleep(STREAM_IDLE_MS, isOver.signal).then(() => "idle" as const);
    // Whichever comes second is nobody's concern.
    for (const one of [read, idle]) one.catch(() => undefined);
    const first = await Promise.race([read, idle]).finally(() => isOver.abort(OVER));
    if (first === "idle") throw netError("TIMEOUT", "The provider sent nothing for a minute.");
    return first;
  }

  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (end) return { done: true, value: undefined };
        try {
          const piece = await next();
          if (!piece.done) return piece;
          await finish(true);
        } catch (error) {
          await finish(false);
          throw error;
        }
        return { done: true, value: undefined };
      },
      async return() {
        await finish(false);
        return { done: true, value: undefined };
      },
    }),
  };
}
