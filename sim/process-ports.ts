import type { Clock } from "@darkmatter/core";
import type { DataChannel, Handler, Multicast, WebRtc, Wire } from "@darkmatter/net";
import type { Database, Write } from "@darkmatter/store";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** One for all: most deadlines pass unheard, and an error takes its stack. */
const LATE = new DOMException("The operation timed out", "TimeoutError");

/** Time as a process sees it: by its machine's clock, and not while it is stopped. */
export function processClock(world: World, life: Life, skewMs: () => number): Clock {
  const { clock } = world;
  const ticking = new DisposableStack();
  life.onEnd(() => ticking.dispose());
  return {
    now: () => clock.now() + skewMs(),
    monotonic: () => clock.monotonic(),
    sleep: (durationMs, signal) => life.act(() => clock.sleep(durationMs, signal)),
    turn: () => life.act(() => clock.turn()),
    every(periodMs, body, onError) {
      const awake = () => new Promise<void>((resolve) => life.hear(resolve));
      const tick = async () => {
        await awake();
        await body();
      };
      const every = clock.every(periodMs, tick, onError);
      return life.isAlive ? ticking.use(every) : every;
    },
    deadline(durationMs) {
      const controller = new AbortController();
      const late = () => controller.abort(LATE);
      void clock.sleep(durationMs).then(() => life.hear(late));
      return controller.signal;
    },
  };
}

/** The way out of a process; each request and each answer is part of the trace. */
export function processWire(world: World, life: Life, name: string, wire: Wire): Wire {
  const { trace, taps } = world;
  life.onEnd(() => void wire.close());
  return {
    async request(request) {
      const { method, url, body = "" } = request;
      trace.note("ask", name, method, url, body);
      if (typeof body === "string") for (const tap of taps) tap({ method, url, body });
      try {
        const answer = await life.act(() => wire.request(request));
        trace.note("answer", name, url, answer.status, answer.body);
        return answer;
      } catch (error) {
        trace.note("no-answer", name, url, (error as { code?: string }).code);
        throw error;
      }
    },
    close: () => wire.close(),
  };
}

/** The way into a process. One that is stopped answers once it goes on; one that dies, not at all. */
export function processHandler(life: Life, handler: Handler): Handler {
  return async (request) => {
    await new Promise<void>((resolve) => life.hear(resolve));
    const response = await handler(request);
    return new Promise((resolve) => life.hear(() => resolve(response)));
  };
}

/** What a process sees of its machine's database: what it began and did not commit dies with it. */
export function processDatabase(world: World, life: Life, name: string, disk: Database): Database {
  const { trace, work } = world;

  function traced(tx: Write): Write {
    return {
      actor: tx.actor,
      get: (sql, ...values) => tx.get(sql, ...values),
      all: (sql, ...values) => tx.all(sql, ...values),
      run(sql, ...values) {
        trace.note("run", name, sql, ...values);
        return tx.run(sql, ...values);
      },
      lock: (lock) => tx.lock(lock),
      afterCommit: (follow) => tx.afterCommit(() => (life.isAlive ? follow() : undefined)),
    };
  }

  async function write<T>(body: (tx: Write) => Promise<T>): Promise<T> {
    work.running++;
    try {
      return await disk.write((tx) => {
        if (!life.isAlive) throw new Error("the process died before");
        return body(traced(tx));
      });
    } finally {
      work.running--;
    }
  }

  return {
    dialect: disk.dialect,
    get: (sql, ...values) => life.act(() => disk.get(sql, ...values)),
    all: (sql, ...values) => life.act(() => disk.all(sql, ...values)),
    write: (body) => life.act(() => write(body)),
    purge: () => life.act(() => disk.purge()),
    // The disk outlives the process.
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Channels of a process: closed when it dies, unheard while it is stopped. */
export function processWebRtc({ trace }: World, life: Life, name: string, webRtc: WebRtc): WebRtc {
  life.onEnd(() => void webRtc.close());
  const heard = (channel: DataChannel): DataChannel => ({
    get isOpen() {
      return channel.isOpen;
    },
    send(text) {
      trace.note("frame", name, text);
      return life.isAlive && channel.send(text);
    },
    onMessage: (listener) => channel.onMessage((text) => life.hear(() => listener(text))),
    onClose: (listener) => channel.onClose(() => life.hear(listener)),
    close: () => channel.close(),
  });
  return {
    async offer() {
      const offering = await life.act(() => webRtc.offer());
      return {
        sdp: offering.sdp,
        accept: async (sdp) => heard(await life.act(() => offering.accept(sdp))),
        cancel: () => offering.cancel(),
      };
    },
    async answer(sdp) {
      const answering = await life.act(() => webRtc.answer(sdp));
      return {
        sdp: answering.sdp,
        channel: life.act(() => answering.channel).then(heard),
        cancel: () => answering.cancel(),
      };
    },
    close: () => webRtc.close(),
  };
}

export function processMulticast(life: Life, multicast: Multicast): Multicast {
  return {
    async join(group, heard) {
      const member = await life.act(() =>
        multicast.join(group, (datagram) => life.hear(() => heard(datagram))),
      );
      life.onEnd(() => void member.close());
      return {
        send: (bytes) => life.act(() => member.send(bytes)),
        close: () => member.close(),
      };
    },
  };
}
