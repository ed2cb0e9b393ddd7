import { type Clock, HOUR_MS, type JsonObject, SECOND_MS } from "@darkmatter/core";
import type { Changes } from "../status/changes.ts";
import { a2aError } from "./protocol-errors.ts";
import { isAnswered, isTerminal, shownAnswer, shownStatus, shownTask } from "./task.ts";
import type { Tasks } from "./tasks.ts";
import type { Token } from "./token.ts";

/** How long a SendMessage that waits for its answer is held. */
export const BLOCKING_MS = 30 * SECOND_MS;
/** Streams and waits at once: of one token, and of all. */
export const STREAMS_PER_TOKEN_MAX = 10;
export const STREAMS_MAX = 100;
/** A stream ends by itself after this; its caller subscribes again. */
const STREAM_MS = HOUR_MS;

/** Who reads a stream. */
export interface Reader {
  readonly historyLength: number | undefined;
  /** Aborts when it leaves. */
  readonly signal: AbortSignal;
  readonly place: Disposable;
}

/** Telling callers what becomes of their tasks while it does. */
export interface Following {
  /**
   * Resolves when a task has ended, after `BLOCKING_MS`, with the token's time, or when its caller left. A wait takes a
   * place as a stream does; without one it does not wait.
   */
  end(token: Token, taskId: string, signal: AbortSignal): Promise<void>;
  /** A place for one stream. Throws BUSY. */
  take(token: Token): Disposable;
  /** The task, then what changes of it, up to its end or the token's. Gives the place back. */
  follow(token: Token, taskId: string, reader: Reader): AsyncIterable<JsonObject>;
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

  /** Hears of changes until disposed; `next` is asked before the look that may miss one, and ends with `signal`. */
  function hearing(signal: AbortSignal): Disposable & { next(): Promise<void> } {
    let heard = Promise.withResolvers<void>();
    const go = () => heard.resolve();
    waiting.add(go);
    signal.addEventListener("abort", go);
    return {
      next() {
        heard = Promise.withResolvers<void>();
        if (signal.aborted) go();
        return heard.promise;
      },
      [Symbol.dispose]() {
        waiting.delete(go);
        signal.removeEventListener("abort", go);
      },
    };
  }

  function placeFor({ id }: Token): Disposable | undefined {
    const all = [...places.values()].reduce((sum, count) => sum + count, 0);
    const own = places.get(id) ?? 0;
    if (own >= STREAMS_PER_TOKEN_MAX || all >= STREAMS_MAX) return undefined;
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
  }

  /** Aborts after a time or with the token's, when the caller leaves, or with the node. */
  function until(ms: number, { expiresAtMs }: Token, caller: AbortSignal): AbortSignal {
    const deadline = clock.deadline(Math.min(ms, expiresAtMs - clock.now()));
    return AbortSignal.any([caller, stopped.signal, deadline]);
  }

  async function* tell(token: Token, taskId: string, reader: Reader): AsyncGenerator<JsonObject> {
    using _ = reader.place;
    const { historyLength } = reader;
    const signal = until(STREAM_MS, token, reader.signal);
    using changes = hearing(signal);
    let told: Look | undefined;
    while (!signal.aborted) {
      const changed = changes.next();
      const now = await look(taskId);
      // A machine that slept is late with its timers.
      if (!now || clock.now() >= token.expiresAtMs) return;
      if (told) yield* differences(told, now);
      else yield { task: shownTask(now.task, now.status, now.words, { historyLength, artifacts: true }) };
      told = now;
      if (isTerminal(now.status)) return;
      await changed;
    }
  }

  return {
    wake,
    stop: () => stopped.abort(),

    async end(token, taskId, caller) {
      using place = placeFor(token);
      if (!place) return;
      const signal = until(BLOCKING_MS, token, caller);
      using changes = hearing(signal);
      for (;;) {
        const changed = changes.next();
        const now = await look(taskId);
        if (!now || isTerminal(now.status) || signal.aborted) return;
        await changed;
      }
    },

    take(token) {
      const place = placeFor(token);
      if (!place) throw a2aError("BUSY", "Too many streams are open.");
      return place;
    },

    follow(token, taskId, reader) {
      const { place, signal } = reader;
      // What nobody began to read never ends by itself.
      signal.addEventListener("abort", () => place[Symbol.dispose](), { once: true });
      if (signal.aborted) place[Symbol.dispose]();
      return tell(token, taskId, reader);
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
