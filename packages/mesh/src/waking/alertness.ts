import { type Clock, SECOND_MS } from "@darkmatter/core";
import type { Push, SessionCall, SessionWatch } from "@darkmatter/surface";

/** How long after its last call an agent counts as awake: it thinks, and will call again. */
export const AWAKE_MS = 10 * SECOND_MS;

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
  /** A session is inside a call now, or was a moment ago. */
  isAwake(): boolean;
  /** When an agent last had a result (milliseconds since the epoch): each tells it what is new. */
  toldAtMs(): number;
  /** A local program read the inbox. */
  looked(): void;
  onLook(listener: (look: Look) => void): void;
}

export function createAlertness(clock: Clock): Alertness {
  const pushes = new Map<string, Push>();
  const listeners: ((look: Look) => void)[] = [];
  let inside = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let leftAtMs = Number.NEGATIVE_INFINITY;

  const tell = (look: Look) => {
    for (const listener of listeners) listener(look);
  };

  function called({ session, tool, isOwner }: SessionCall): Disposable {
    if (LOOKS.has(tool)) tell({ session: isOwner ? undefined : session });
    // A command is no sign of an agent that will look again by itself.
    if (isOwner) return { [Symbol.dispose]: () => undefined };
    inside++;
    return {
      [Symbol.dispose]() {
        inside--;
        leftAtMs = clock.monotonic();
        toldAtMs = clock.now();
      },
    };
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
    isAwake: () => inside > 0 || clock.monotonic() - leftAtMs < AWAKE_MS,
    toldAtMs: () => toldAtMs,
    looked: () => tell({ session: undefined }),
    onLook: (listener) => void listeners.push(listener),
  };
}
