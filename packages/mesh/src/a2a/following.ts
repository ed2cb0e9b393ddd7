import { type Clock, HOUR_MS, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Changes } from "../status/changes.ts";
import { a2aError } from "./protocol-errors.ts";
import { isAnswered, isTerminal, shownAnswer, shownStatus, shownTask } from "./task.ts";
import type { Tasks } from "./tasks.ts";
import type { Token } from "./token.ts";

/** How long a SendMessage that waits for its answer is held. */
export const BLOCKING_MS = 30 * SECOND_MS;
/** Streams at once: of one token, and of all. */
export const STREAMS_PER_TOKEN_MAX = 10;
export const STREAMS_MAX = 100;
/** A stream ends by itself after this; its caller subscribes again. */
const STREAM_MS = HOUR_MS;
/** A task is looked at this often even if nobody says that something changed. */
const LOOK_MS = MINUTE_MS;

/** Telling callers what becomes of their tasks while it does. */
export interface Following {
  /** Resolves when a task has ended, after `BLOCKING_MS`, or when its caller left. */
  end(taskId: string, signal: AbortSignal): Promise<void>;
  /** A place for one stream. Throws BUSY. */
  take(token: Token): Disposable;
  /** The task, then what changes of it, up to its end. Gives the place back. */
  follow(
    taskId: string,
    historyLength: number | undefined,
    signal: AbortSignal,
    place: Disposable,
  ): AsyncIterable<JsonObject>;
  /** Something may have changed. */
  wake(): void;
  /** Ends every stream and every wait. */
  stop(): void;
}

export function createFollowing(
  clock: Clock,
  changes: Pick<Changes, "listen">,
  look: Tasks["look"],
): Following {
  const stopped = new AbortController();
  const waiting = new Set<() => void>();
  const places = new Map<string, number>();

  function wake(): void {
    for (const go of [...waiting]) go();
  }
  changes.listen(wake);

  /** Resolves at the next change, after a while, or when `signal` aborts. */
  async function change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const until = AbortSignal.any([signal, clock.deadline(LOOK_MS)]);
    waiting.add(resolve);
    until.addEventListener("abort", () => resolve(), { once: true });
    if (until.aborted) resolve();
    await promise;
    waiting.delete(resolve);
  }

  return {
    wake,
    stop: () => stopped.abort(),

    async end(taskId, caller) {
      const signal = AbortSignal.any([caller, stopped.signal, clock.deadline(BLOCKING_MS)]);
      for (;;) {
        const changed = change(signal);
        const now = await look(taskId);
        if (!now || isTerminal(now.status) || signal.aborted) return;
        await changed;
      }
    },

    take({ id }) {
      const all = [...places.values()].reduce((sum, count) => sum + count, 0);
      const own = places.get(id) ?? 0;
      if (own >= STREAMS_PER_TOKEN_MAX || all >= STREAMS_MAX)
        throw a2aError("BUSY", "Too many streams are open.");
      places.set(id, own + 1);
      let isTaken = true;
      return {
        [Symbol.dispose]() {
          if (!isTaken) return;
          isTaken = false;
          const left = (places.get(id) ?? 1) - 1;
          if (left > 0) places.set(id, left);
          else places.delete(id);
        },
      };
    },

    async *follow(taskId, historyLength, caller, place) {
      using _ = place;
      const signal = AbortSignal.any([caller, stopped.signal, clock.deadline(STREAM_MS)]);
      let told: Awaited<ReturnType<Tasks["look"]>>;
      while (!signal.aborted) {
        const changed = change(signal);
        const now = await look(taskId);
        if (!now) return;
        if (!told)
          yield { task: shownTask(now.task, now.status, now.words, { historyLength, artifacts: true }) };
        else yield* differences(told, now);
        told = now;
        if (isTerminal(now.status)) return;
        await changed;
      }
    },
  };
}

type Look = NonNullable<Awaited<ReturnType<Tasks["look"]>>>;

/** What a stream tells of a task that changed: answers first, so that its end is the last word. */
function* differences(before: Look, now: Look): Generator<JsonObject> {
  const { id: taskId, contextId } = now.task;
  const told = new Set(before.words.filter(isAnswered).map(({ messageId }) => messageId));
  for (const words of now.words) {
    if (!isAnswered(words) || told.has(words.messageId)) continue;
    yield { artifactUpdate: { taskId, contextId, artifact: shownAnswer(words), lastChunk: true } };
  }
  if (now.status.state !== before.status.state) {
    yield { statusUpdate: { taskId, contextId, status: shownStatus(now.status) } };
  }
}
