import type { Hello } from "../handshake.ts";
import type { Pump } from "../pump.ts";
import { ownerStopped, type Trouble } from "../trouble.ts";
import { processState } from "./owner-card.ts";
import { HELLO_MS, troubleOf } from "./owner-search.ts";
import { linkToOwner } from "./relay-link.ts";
import type { SessionWires } from "./session-wires.ts";

/** How often a session that waits for an answer makes sure that its owner is alive. */
export const HEARTBEAT_MS = 2000;
/** An owner silent for so many heartbeats in a row is reported, though its process seems to run. */
const SILENT_BEATS_MAX = 4;

export interface Watch {
  readonly socket: string;
  readonly ownerCard: string;
  readonly pid: number;
  readonly hello: Hello;
  readonly pump: Pump;
  readonly wires: SessionWires;
  report(trouble: Trouble): void;
}

/**
 * Reports an owner that has stopped answering. A process that is stopped keeps its sockets open and its lock held,
 * so a call to it would wait for ever; one that only takes long still answers a hello on another connection.
 */
export function watchOwner(watch: Watch): Disposable {
  const { pump, wires, hello } = watch;
  let heard = wires.heard;
  let silentBeats = 0;
  let beating = false;

  const beat = async () => {
    const quiet = wires.heard === heard && pump.due > 0;
    heard = wires.heard;
    if (!quiet) silentBeats = 0;
    if (!quiet || beating) return;
    if (processState(watch.pid) === "stopped") return watch.report(ownerStopped(watch.pid));
    beating = true;
    const link = await linkToOwner(watch.socket, { ...hello, role: "probe" }, HELLO_MS);
    beating = false;
    silentBeats = link.kind === "silent" ? silentBeats + 1 : 0;
    const trouble = silentBeats > 0 ? troubleOf(watch.ownerCard, silentBeats >= SILENT_BEATS_MAX) : undefined;
    if (trouble && pump.due > 0) watch.report(trouble);
  };
  const timer = setInterval(() => void beat(), HEARTBEAT_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
