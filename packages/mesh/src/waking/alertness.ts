import { type Clock, SECOND_MS } from "@darkmatter/core";
import type { Push, SessionCall, SessionWatch } from "@darkmatter/surface";

/** How long after its last call an agent counts as awake: it thinks, and will call again. */
export const AWAKE_MS = 10 * SECOND_MS;

const WAIT_FOR_MESSAGE = "darkmatter_wait_for_message";
/** Whoever is inside one of these may sleep for an hour: it is awake as it begins and as it ends. */
const WAITS: ReadonlySet<string> = new Set([WAIT_FOR_MESSAGE, "darkmatter_wait_for_response"]);

/** Their results name every connection request that waits. */
const TELLS_REQUESTS: ReadonlySet<string> = new Set([
  "darkmatter_list_pending_requests",
  "darkmatter_status",
]);

/** Whoever calls one of these looks at what waits. */
const LOOKS: ReadonlySet<string> = new Set(
  [
    "get_message",
    "inbox",
    "list_inbox",
    "list_pending_requests",
    "respond_message",
    "send_message",
    "connection",
    "status",
    "wait_for_message",
    "wait_for_response",
  ].map((name) => `darkmatter_${name}`),
);

/** Somebody looked at what waits for the agent. */
export interface Look {
  /** The session of an agent; `undefined` for a command or a local request, which may be an agent's with a shell. */
  readonly session: string | undefined;
}

/** Whether our agent is awake, as far as its sessions tell. Nothing of it outlives the process. */
export interface Alertness {
  readonly watch: SessionWatch;
  /** Clients that can be pushed to, by session. */
  pushable(): ReadonlyMap<string, Push>;
  /**
   * Whether a session is inside a call now, or was a moment ago; or waits for any message, and can have taken one of
   * `sinceMs` (milliseconds since the epoch) only now.
   */
  isAwake(sinceMs: number): boolean;
  /** The result of a session's call tells of all messages up to this one, counted from the first that ever came. */
  hinted(session: string, arrived: number): void;
  /** The last message of which a result told that really left for an agent. */
  toldOf(): number;
  /** When an agent last asked which connection requests wait, and heard it (milliseconds since the epoch). */
  requestsToldAtMs(): number;
  /** A local program read the inbox. */
  looked(): void;
  onLook(listener: (look: Look) => void): void;
}

export function createAlertness(clock: Clock): Alertness {
  const pushes = new Map<string, Push>();
  const listeners: ((look: Look) => void)[] = [];
  /** By session, while its call goes on. */
  const hints = new Map<string, number>();
  let inside = 0;
  let takingMessages = 0;
  let toldOf = Number.NEGATIVE_INFINITY;
  let requestsToldAtMs = Number.NEGATIVE_INFINITY;
  let leftAtMs = Number.NEGATIVE_INFINITY;

  const tell = (look: Look) => {
    for (const listener of listeners) listener(look);
  };

  function called({ session, tool, isOwner, signal }: SessionCall): Disposable {
    if (LOOKS.has(tool)) tell({ session: isOwner ? undefined : session });
    // A command is no sign of an agent that will look again by itself.
    if (isOwner) return { [Symbol.dispose]: () => void hints.delete(session) };
    const beganAtMs = clock.now();
    const leave = WAITS.has(tool) ? waits(tool) : calls();
    return {
      [Symbol.dispose]() {
        leave();
        const hint = hints.get(session);
        hints.delete(session);
        if (signal.aborted) return;
        leftAtMs = clock.monotonic();
        toldOf = hint ?? toldOf;
        if (TELLS_REQUESTS.has(tool)) requestsToldAtMs = beganAtMs;
      },
    };
  }

  function calls(): () => void {
    inside++;
    return () => void inside--;
  }

  function waits(tool: string): () => void {
    leftAtMs = clock.monotonic();
    if (tool !== WAIT_FOR_MESSAGE) return () => undefined;
    takingMessages++;
    return () => void takingMessages--;
  }

  return {
    watch: {
      called,
      reachable(session, push) {
        pushes.set(session, push);
        return {
          [Symbol.dispose]() {
            if (pushes.get(session) === push) pushes.delete(session);
          },
        };
      },
    },
    pushable: () => pushes,
    isAwake: (sinceMs) =>
      inside > 0 ||
      clock.monotonic() - leftAtMs < AWAKE_MS ||
      (takingMessages > 0 && clock.now() - sinceMs < AWAKE_MS),
    hinted: (session, arrived) => void hints.set(session, arrived),
    toldOf: () => toldOf,
    requestsToldAtMs: () => requestsToldAtMs,
    looked: () => tell({ session: undefined }),
    onLook: (listener) => void listeners.push(listener),
  };
}
