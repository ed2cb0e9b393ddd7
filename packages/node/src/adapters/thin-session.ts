import { randomUUID } from "node:crypto";
import { type Duplex, duplexPair, type Readable, type Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Hello, RELAY_PROTOCOL } from "../handshake.ts";
import { createPump, type Pump } from "../pump.ts";
import type { Trouble } from "../trouble.ts";
import { watchOwner } from "./heartbeat.ts";
import type { OwnerLock } from "./owner-lock.ts";
import { findOwner } from "./owner-search.ts";
import { createSessionWires, type SessionWires } from "./session-wires.ts";

/** After the client's end, answers still due are waited for so long; the second, while no owner has heard of them. */
const FAREWELL_MS = 1000;
const FAREWELL_UNHEARD_MS = 5000;
/** How long an older program leaves the lock alone after handing over. */
const YIELD_MS = 5000;
/** Owners lost one after another without a word: what is asked of them is what ends them. */
const LOSSES_MAX = 3;

const OWNER_GONE: Trouble = {
  code: "START_FAILED",
  message: "The node that started this helper is not there any more.",
  hint: "End: there is nothing left to do.",
};

/** A node in this very process. */
export interface OwnNode {
  serve(stream: Duplex, session: Pick<Hello, "session" | "called" | "role" | "delegate">): void;
  /** Stops cleanly and gives the lock back. Safe to call twice. */
  stop(): Promise<void>;
  /** Calls back when a newer program asked for ownership. */
  onHandOver(listener: () => void): void;
}

export interface SessionPorts {
  readonly input: Readable;
  readonly output: Writable;
  readonly places: { readonly socket: string; readonly lock: string; readonly ownerCard: string };
  readonly version: string;
  /** The token of a helper: it is served by the owner that started it, and never owns anything. */
  readonly delegate: string | undefined;
  /** Begins to import what a node needs: nobody owns the state, so this session may have to. */
  warm(): void;
  /** Starts the node of the lock's holder. It rejects with what keeps it from starting, the lock given back. */
  own(lock: OwnerLock): Promise<OwnNode>;
  /** Answers `server/discover` without owning anything. */
  preview(stream: Duplex): Promise<void>;
  /** Tells a person, on stderr. */
  complain(trouble: Trouble): void;
  /** What was thrown, as a trouble to tell. */
  explain(error: unknown): Trouble;
  /** Somebody asked this process to stop. */
  readonly signal: AbortSignal;
}

interface Session {
  readonly ports: SessionPorts;
  readonly hello: Hello;
  readonly pump: Pump;
  readonly wires: SessionWires;
  readonly ending: AbortSignal;
  /** Resolves at the client's next line, or its end, or after the time given. */
  change(timeoutMs: number): Promise<void>;
  report(trouble: Trouble): void;
  /** When the lock may be tried again, after handing over. */
  yieldUntil: number;
  losses: number;
  /** What the client hears comes from a server that owns nothing. */
  previewing: boolean;
}

/**
 * One MCP client's session, from its first line to its end, whoever owns the state in the meantime: usually another
 * process, to which this one is a pump; else this one, through the same pump. Resolves with the exit code.
 */
export async function runSession(ports: SessionPorts): Promise<number> {
  const session = openSession(ports);
  const { pump, wires, ending, hello } = session;
  while (!ending.aborted) {
    const found = await findOwner({
      ...ports.places,
      hello,
      mayOwn: () => ports.delegate === undefined && pump.inEarnest && performance.now() >= session.yieldUntil,
      signal: ending,
    });
    if (found.kind === "attached") {
      using _heartbeat = watchOwner({
        ...session,
        socket: ports.places.socket,
        ownerCard: ports.places.ownerCard,
        pid: found.pid,
      });
      await follow(session, found.socket);
    } else if (found.kind === "held") {
      const failed = await ownAndServe(session, found.lock);
      if (failed) return fail(session, failed);
    } else if (found.kind === "nobody" && ports.delegate !== undefined) {
      return fail(session, OWNER_GONE);
    } else if (found.kind === "nobody") {
      ports.warm();
      await (pump.inEarnest ? sleep(50) : previewUntilEarnest(session));
    } else if (found.lasting) {
      return fail(session, found.trouble);
    } else if (!ending.aborted) {
      session.report(found.trouble);
      if (pump.due === 0) await session.change(1000);
    }
  }
  wires.detach();
  return 0;
}

/** Gives a client the reason why it cannot be served. */
export function refuseSession(ports: SessionPorts, trouble: Trouble): Promise<number> {
  return fail(openSession(ports), trouble);
}

function openSession(ports: SessionPorts): Session {
  const pump = createPump(randomUUID);
  const ending = new AbortController();
  const end = () => ending.abort();
  if (ports.signal.aborted) end();
  ports.signal.addEventListener("abort", end, { once: true });

  let woken = Promise.withResolvers<void>();
  let farewell = false;
  const wires = createSessionWires({
    input: ports.input,
    output: ports.output,
    pump,
    changed() {
      // Before the line in question is written: the preview must not get it.
      if (session.previewing && pump.inEarnest) wires.detach();
      woken.resolve();
      woken = Promise.withResolvers();
      if (ports.input.readableEnded && !farewell) {
        farewell = true;
        void sayFarewell(pump, wires, end);
      }
    },
    broken: end,
  });
  ending.signal.addEventListener("abort", () => {
    wires.detach();
    woken.resolve();
  });
  const session: Session = {
    ports,
    pump,
    wires,
    ending: ending.signal,
    hello: {
      darkmatter: RELAY_PROTOCOL,
      version: ports.version,
      pid: process.pid,
      session: randomUUID(),
      // Read at each hello: a later owner hears of more.
      get called() {
        return [...pump.called];
      },
      role: "session",
      ...(ports.delegate !== undefined && { delegate: ports.delegate }),
    },
    change: (timeoutMs) => Promise.race([woken.promise, sleep(timeoutMs, undefined, { ref: false })]),
    report(trouble) {
      wires.tell(pump.failPending(`${trouble.message} ${trouble.hint}`));
      ports.complain(trouble);
    },
    yieldUntil: 0,
    losses: 0,
    previewing: false,
  };
  return session;
}

/** The client has ended: what it still waits for is answered if that takes no time worth speaking of. */
async function sayFarewell(pump: Pump, wires: SessionWires, end: () => void): Promise<void> {
  const since = performance.now();
  while (pump.due > 0) {
    const limitMs = wires.attached && wires.heard > 0 ? FAREWELL_MS : FAREWELL_UNHEARD_MS;
    if (performance.now() - since > limitMs) break;
    await sleep(10);
  }
  end();
}

/** Passes lines to an owner and back until it is gone. */
async function follow(session: Session, owner: Duplex): Promise<void> {
  const { pump, wires, ending } = session;
  const heard = wires.heard;
  // Ended while the owner was looked for.
  if (ending.aborted) return void owner.destroy();
  const gone = wires.attach(owner);
  wires.tell(pump.ownerChanged());
  await gone;
  session.losses = wires.heard === heard ? session.losses + 1 : 0;
  if (session.losses < LOSSES_MAX || ending.aborted) return;
  session.losses = 0;
  wires.tell(
    pump.failPending("The node ended each time it was asked this: whether it was done is not known."),
  );
}

/** Serves this session, and whoever else attaches, by a node of its own. Answers what kept it from starting. */
async function ownAndServe(session: Session, lock: OwnerLock): Promise<Trouble | undefined> {
  const { ports, ending, wires } = session;
  if (ending.aborted) return void lock.release();
  let node: OwnNode;
  try {
    node = await ports.own(lock);
  } catch (error) {
    return ports.explain(error);
  }
  let handingOver = false;
  node.onHandOver(() => {
    handingOver = true;
    session.yieldUntil = performance.now() + YIELD_MS;
    wires.detach();
  });
  while (!ending.aborted && !handingOver) {
    const [near, far] = duplexPair();
    node.serve(far, session.hello);
    await follow(session, near);
  }
  await node.stop();
  return undefined;
}

/** Answers a client that only asks what a server offers, and waits until it is in earnest. */
async function previewUntilEarnest(session: Session): Promise<void> {
  const { ports, pump, wires, ending } = session;
  session.previewing = true;
  while (!pump.inEarnest && !ending.aborted) {
    if (pump.pending > 0 && !wires.attached) {
      const [near, far] = duplexPair();
      void wires.attach(near);
      await ports.preview(far);
    }
    await session.change(60_000);
  }
  wires.detach();
  session.previewing = false;
}

async function fail(session: Session, trouble: Trouble): Promise<number> {
  // A client that has not asked yet is given the reason with its first answer.
  if (session.pump.due === 0 && !session.ending.aborted) await session.change(1000);
  session.report(trouble);
  return trouble.code === "CONFIG_INVALID" ? 2 : 1;
}
