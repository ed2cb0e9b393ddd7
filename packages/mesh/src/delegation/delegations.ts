import { HOUR_MS, type JsonObject, newId, reasonOf, toHex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import type { Read, Write } from "@darkmatter/store";
import { readCallerScore } from "../a2a/tokens.store.ts";
import { readRequest } from "../connections/requests.store.ts";
import { meshError } from "../errors.ts";
import { readImpression } from "../impressions/impressions.store.ts";
import { readInbox } from "../messages/messages.store.ts";
import type { MeshPorts } from "../ports.ts";
import {
  addWaiting,
  countGrantedSince,
  countOpen,
  insertDelegation,
  readDelegations,
  readOpen,
  readSwitch,
  readWaiting,
  removeWaiting,
  wasHanded,
  writeSwitch,
} from "./delegations.store.ts";
import { grantFor } from "./grant.ts";
import { DELEGATION_VARIABLE, PROFILES } from "./profiles.ts";
import { createRunning, type DelegationNeeds, type LiveHelper } from "./running.ts";
import { type Delegation, type Handed, peerOf, placeOf, type Refusal, subjectOf, type Work } from "./work.ts";

/** Helpers of the agent: programs started for one message or request each (mesh.md 14 Spawn, 22.7). */
export interface Delegations {
  /**
   * Hands work to a helper in the transaction that decided so: guards, grant and row are in `tx`, the process starts
   * after the commit. Work is handed once, ever. What finds no free place waits and is handed later by itself, if it
   * is still there then.
   */
  hand(tx: Write, work: Work): Promise<Handed>;
  /** Whether `hand` could take work of a peer of this score, now or when there is a place. Reads nothing. */
  mayTake(score: number): boolean;
  /** Calls back after a helper's process was started; what it waits for is the listener's own. */
  onStarted(listener: (delegation: Delegation, work: Work) => void): void;
  /** Calls back when a helper has ended, however it did. */
  onEnded(listener: (delegation: Delegation) => void): void;
  /** Running and newly ended ones, newest first. */
  list(tx: Read): Promise<Delegation[]>;
  /** What runs now. */
  running(): number;
  /** Whether helpers are started, as the owner last said; the environment decides until then. */
  isOn(): boolean;
  setOn(tx: Write, isOn: boolean): Promise<void>;
  /** The program that would be started, and whether it is there, where that can be known. */
  command(): Promise<{ readonly name: string; readonly found: boolean | undefined }>;
  /** Ends a helper and everything it started. Throws NOT_FOUND for one that does not run. */
  end(delegationId: string): Promise<void>;
  /** The end of what a helper wrote, while it is remembered. */
  tailOf(delegationId: string): string | undefined;
  /** The helper a token belongs to, while it may act. */
  delegateOf(token: string): LiveHelper | undefined;
  /** Whether a process of this machine is a running helper, or was started by one, as far as the system says. */
  isHelper(pid: number): Promise<boolean>;
  /** Hands what waits, as far as there are places. */
  handWaiting(): Promise<void>;
  /** Ends what an earlier run left, and reads what the owner said. */
  start(): Promise<void>;
  /** Ends every helper. */
  stop(): Promise<void>;
}

/** What our owner thinks of a caller by A2A, or our agent of another agent. */
async function trustOf(tx: Read, from: string): Promise<number> {
  return (await readCallerScore(tx, from)) ?? (await readImpression(tx, from))?.score ?? 0;
}

const LISTED_MAX = 50;
const CHILD_KEY_BYTES = 32;

export function createDelegations(ports: MeshPorts, needs: DelegationNeeds): Delegations {
  const { db, clock, config, random, signer, journal, helpers } = ports;
  const { background, changed } = needs;
  const settings = () => ports.config.agent;
  const running = createRunning(ports, needs, () => background.start("helpers.waiting", handWaiting));
  let switchedOn: boolean | undefined;
  let commandFound = false;

  const isOn = () => switchedOn ?? settings().enabled;
  const commandName = () => settings().command ?? PROFILES[config.client].command;

  async function findCommand() {
    const name = commandName();
    if (!helpers) return { name, found: undefined };
    commandFound = (await helpers.processes.find(name)) !== undefined;
    return { name, found: commandFound };
  }

  /** Why work is not handed now; what waits for a place is asked last, since it passes. */
  async function refusal(tx: Read, work: Work): Promise<Refusal | undefined> {
    if (!helpers) return "helpers cannot be started here";
    if (!isOn()) return "helpers are off";
    if (helpers.isBrief) return "this node is there for one command only";
    if (!commandFound) return "the client's command is not there";
    if (await wasHanded(tx, work.kind, subjectOf(work))) return "it was handed before";
    const { minTrust, maxConcurrent, maxPerHour } = settings();
    if ((await trustOf(tx, peerOf(work))) < minTrust) return "the peer is not trusted enough";
    // Anybody can ask in a trusted agent's name: its score counts for whoever has its key.
    if (work.kind === "request" && !work.request.proven) return "the requester has not proven its key";
    if ((await countOpen(tx)) >= maxConcurrent) return "all places are taken";
    if ((await countGrantedSince(tx, clock.now() - HOUR_MS)) >= maxPerHour)
      return "enough were started this hour";
    return undefined;
  }

  async function grant(tx: Write, work: Work): Promise<Delegation> {
    // A body may run again: what it makes lives in the row and in what follows the commit, nowhere else.
    const child = createSigner(random.bytes(CHILD_KEY_BYTES));
    const now = clock.now();
    const { timeoutMs } = settings();
    const granted = grantFor(signer, child.agentId, work, now, timeoutMs);
    const delegation: Delegation = {
      id: newId("dg", random),
      kind: work.kind,
      subject: subjectOf(work),
      peer: peerOf(work),
      state: "granted",
      publicKey: child.agentId,
      grantedAtMs: now,
      notAfterMs: now + timeoutMs,
      pid: null,
      endedAtMs: null,
      outcome: null,
    };
    if (!(await insertDelegation(tx, delegation))) throw meshError("DUPLICATE", "It was handed before.");
    await removeWaiting(tx, work.kind, delegation.subject);
    await journal.append(tx, {
      act: "delegation.granted",
      ...placeOf(delegation),
      fields: { grant: granted as JsonObject, client: config.client, autonomous: settings().autonomous },
    });
    const token = toHex(random.bytes(TOKEN_BYTES));
    tx.afterCommit(() => running.launch({ delegation, work, child, grant: granted, token }));
    tx.afterCommit(changed);
    return delegation;
  }

  async function hand(tx: Write, work: Work): Promise<Handed> {
    const why = await refusal(tx, work);
    if (why === undefined) return { kind: "handed", delegationId: (await grant(tx, work)).id, why };
    if (!PASSING.has(why)) {
      await removeWaiting(tx, work.kind, subjectOf(work));
      return { kind: "refused", why };
    }
    await addWaiting(tx, work.kind, subjectOf(work));
    return { kind: "waiting", why };
  }

  /** What waits, if it is still there and nobody has looked at it. */
  async function workOf(tx: Read, kind: Work["kind"], subject: string): Promise<Work | undefined> {
    if (kind === "request") {
      const request = await readRequest(tx, subject);
      return request && { kind, request };
    }
    const message = await readInbox(tx, subject);
    return message && !message.read ? { kind, message } : undefined;
  }

  async function handWaiting(): Promise<void> {
    if ((await readWaiting(db)).length === 0) return;
    await db.write(async (tx) => {
      for (const { kind, subject } of await readWaiting(tx)) {
        const work = await workOf(tx, kind, subject);
        if (!work) await removeWaiting(tx, kind, subject);
        else if (NO_ROOM.has((await hand(tx, work)).why)) return;
      }
    });
  }

  return {
    hand,
    mayTake(score) {
      if (!helpers || !isOn() || score < settings().minTrust) return false;
      return helpers.isBrief === true || commandFound;
    },
    onStarted: running.onStarted,
    onEnded: running.onEnded,
    list: (tx) => readDelegations(tx, LISTED_MAX),
    running: running.count,
    isOn,
    async setOn(tx, on) {
      await writeSwitch(tx, on);
      tx.afterCommit(() => {
        switchedOn = on;
        changed();
      });
    },
    command: findCommand,
    end: running.end,
    tailOf: running.tailOf,
    delegateOf: running.delegateOf,
    isHelper: running.isHelper,
    async handWaiting() {
      await running.noteEnds();
      await findCommand();
      await handWaiting();
    },

    async start() {
      switchedOn = await readSwitch(db);
      if (helpers) await findCommand();
      for (const { delegation, mark } of await readOpen(db)) {
        const { id, pid } = delegation;
        // A crash right after a start leaves no process id here: then the helper's own environment tells.
        const found =
          pid === null
            ? await helpers?.processes.terminateMarked(DELEGATION_VARIABLE, id)
            : mark !== null && (await helpers?.processes.terminateLeftover({ pid, mark }));
        const wasStarted = pid !== null || found === true;
        await running.noteEnd(delegation, wasStarted ? "node stopped" : "never started", {
          left_running: found === true,
        });
      }
      await helpers?.folders.removeAll().catch((error: unknown) => {
        ports.report("helpers.folder-not-removed", { reason: reasonOf(error) });
      });
    },

    stop: running.stop,
  };
}

/** Refusals that time mends by itself. */
const PASSING: ReadonlySet<Refusal> = new Set<Refusal>([
  "this node is there for one command only",
  "all places are taken",
  "enough were started this hour",
  "the requester has not proven its key",
]);

/** Those that every other piece of work would hear as well. */
const NO_ROOM: ReadonlySet<Refusal | undefined> = new Set<Refusal>([
  "this node is there for one command only",
  "all places are taken",
  "enough were started this hour",
]);

const TOKEN_BYTES = 32;
