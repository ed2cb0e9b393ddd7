import { type JsonObject, reasonOf, SECOND_MS, sha256Hex } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import type { Actor } from "@darkmatter/store";
import type { Background } from "../background.ts";
import { meshError } from "../errors.ts";
import type { MeshPorts } from "../ports.ts";
import { markEnded, markRunning } from "./delegations.store.ts";
import { type Grant, grantHash } from "./grant.ts";
import type { Helpers } from "./helpers.ts";
import type { ProcessEnd, StartedProcess } from "./processes.ts";
import { commandLine, helperEnvironment, PROFILES } from "./profiles.ts";
import { promptFor } from "./prompt.ts";
import { type Delegation, peerOf, placeOf, type Work } from "./work.ts";

/** Between asking a group to end and killing it. */
export const KILL_AFTER_MS = 5 * SECOND_MS;
/** The same when the node itself ends. */
const STOP_KILL_AFTER_MS = SECOND_MS;
/** Ended helpers whose last words are remembered. */
const TAILS_MAX = 20;

/** What the service asks of the rest of the mesh. */
export interface DelegationNeeds {
  readonly background: Background;
  /** The context feed for the message or request of this id, as it is printed; peers' words. */
  context(subject: string, peer: string): Promise<string>;
  /** The name a connected agent gives itself. */
  nameOf(agentId: string): Promise<string | null>;
  changed(): void;
}

/** A hand-over that is on disk, with what only memory may hold. */
export interface Launch {
  readonly delegation: Delegation;
  readonly work: Work;
  /** The helper's key. */
  readonly child: Signer;
  readonly grant: Grant;
  readonly token: string;
}

/** A helper that may act now, as its node sees it when it calls. */
export interface LiveHelper {
  readonly delegation: Delegation;
  readonly grant: Grant;
  /** Signs beside the passport what the helper does. */
  readonly actor: Actor;
  /** Aborts when the helper may act no more. */
  readonly over: AbortSignal;
  /** Whether it may still act: looked at for each call. */
  mayAct(): boolean;
  /** True once. */
  isFirstCall(): boolean;
}

interface Live extends LiveHelper {
  readonly launch: Launch;
  readonly ending: AbortController;
  process: StartedProcess | undefined;
  /** Why it is being ended, if it did not end by itself. */
  reason: string | undefined;
  /** Resolves when it is over and that is on disk. */
  finished: Promise<void>;
}

/** The helpers' processes, from their grants to their ends. */
export function createRunning(ports: MeshPorts, needs: DelegationNeeds, ended: () => void) {
  const { db, clock, journal, helpers } = ports;
  /** By the hash of the token: no comparison tells how much of a guess was right. */
  const live = new Map<string, Live>();
  /** Process ids of the leaders of helpers' groups, by delegation, until nothing is left of a group. */
  const leaders = new Map<string, number>();
  /** Ends that could not be written down: tried again, or their places would be taken for ever. */
  const unnoted = new Map<string, () => Promise<void>>();
  const tails = new Map<string, string>();
  const startedListeners: ((delegation: Delegation, work: Work) => void)[] = [];
  const endedListeners: ((delegation: Delegation) => void)[] = [];
  let isStopping = false;

  function liveOf(launch: Launch): Live {
    const { delegation, grant, child } = launch;
    const ending = new AbortController();
    let hasCalled = false;
    const mayAct = () => !ending.signal.aborted && clock.now() < delegation.notAfterMs;
    return {
      launch,
      delegation,
      grant,
      ending,
      over: ending.signal,
      mayAct,
      isFirstCall() {
        const isFirst = !hasCalled;
        hasCalled = true;
        return isFirst;
      },
      actor: {
        delegation: delegation.id,
        publicKey: child.agentId,
        grant: grantHash(grant),
        sign: (text) => (mayAct() ? child.sign(text) : undefined),
      },
      process: undefined,
      reason: undefined,
      finished: Promise.resolve(),
    };
  }

  /** The name a peer gives itself; who only asks to be connected gave it with its request. */
  const nameIn = async (work: Work) =>
    work.kind === "request" ? work.request.displayName : needs.nameOf(peerOf(work));

  /** Starts the process. Whatever goes wrong on the way ends the helper, which was counted before. */
  async function begin(one: Live, { processes, folders, cwd, env }: Helpers): Promise<void> {
    const { delegation, work, token } = one.launch;
    const { config, random } = ports;
    const settings = config.agent;
    const access = {
      delegationId: delegation.id,
      url: mcpUrl(ports),
      token,
      folder: folders.pathOf(delegation.id),
      tools: one.grant.scope.tools,
    };
    const [context, name] = await Promise.all([
      needs.context(delegation.subject, delegation.peer),
      nameIn(work),
    ]);
    const prompt = promptFor(work, { name, context }, random);
    const { command, args, stdin } = commandLine(config.client, settings, access, prompt);
    const path = await processes.find(command);
    if (path === undefined) throw meshError("NOT_FOUND", "The client's command is not there.");
    const files = settings.autonomous ? {} : (PROFILES[config.client].files?.(access) ?? {});
    await folders.make(delegation.id, texts(files));
    if (isStopping || !one.mayAct()) throw meshError("INACTIVE", "It was ended before it began.");
    const started = processes.start({
      command: path,
      args,
      cwd,
      env: helperEnvironment(config.client, settings, env, access),
      ...(stdin !== undefined && { stdin }),
    });
    one.process = started;
    if (started.pid === undefined) return;
    const { pid, mark } = started;
    leaders.set(delegation.id, pid);
    await db.write((tx) => markRunning(tx, delegation.id, pid, mark ?? null));
    for (const listener of startedListeners) listener({ ...delegation, state: "running", pid }, work);
  }

  /** Ends what runs when its time is over. */
  async function watch(one: Live): Promise<void> {
    const leftMs = Math.max(0, one.delegation.notAfterMs - clock.now());
    try {
      await clock.sleep(leftMs, one.over);
    } catch {
      // It ended before its time.
      return;
    }
    await terminate(one, "out of time", KILL_AFTER_MS);
  }

  async function terminate(one: Live, reason: string, graceMs: number): Promise<void> {
    one.reason ??= reason;
    one.ending.abort();
    await one.process?.terminate(graceMs);
  }

  async function noteEnd(delegation: Delegation, outcome: string, fields: JsonObject): Promise<void> {
    const now = clock.now();
    const noted = await db.write(async (tx) => {
      if (!(await markEnded(tx, delegation.id, now, outcome))) return false;
      await journal.append(tx, {
        act: "delegation.ended",
        ...placeOf(delegation),
        fields: { outcome, public_key: delegation.publicKey, ...fields },
      });
      tx.afterCommit(needs.changed);
      return true;
    });
    if (!noted) return;
    for (const listener of endedListeners)
      listener({ ...delegation, state: "ended", endedAtMs: now, outcome });
  }

  function remember(one: Live): void {
    const tail = one.process?.tail() ?? "";
    tails.set(one.delegation.id, tail);
    const [oldest] = tails.keys();
    if (tails.size > TAILS_MAX && oldest !== undefined) tails.delete(oldest);
  }

  /** A helper's whole life after its grant. */
  async function lifeOf(one: Live, hash: string): Promise<void> {
    let end: ProcessEnd = { kind: "not started", reason: "helpers cannot be started here" };
    const watching = watch(one);
    try {
      if (helpers) await begin(one, helpers);
    } catch (error) {
      end = { kind: "not started", reason: reasonOf(error) };
      ports.report("helper.not-started", { delegation: one.delegation.id, reason: reasonOf(error) });
    }
    if (one.process) end = await one.process.ended;
    // Its word counts no more, before anything else is done about its end.
    one.ending.abort();
    live.delete(hash);
    try {
      await watching;
      await one.process?.terminate(KILL_AFTER_MS);
    } catch (error) {
      ports.report("helper.not-ended", { delegation: one.delegation.id, reason: reasonOf(error) });
    }
    leaders.delete(one.delegation.id);
    remember(one);
    unnoted.set(one.delegation.id, () => noteEnd(one.delegation, outcomeOf(one, end), exitFields(end)));
    await noteEnds();
    await helpers?.folders.remove(one.delegation.id).catch((error: unknown) => {
      ports.report("helper.folder-not-removed", {
        delegation: one.delegation.id,
        reason: reasonOf(error),
      });
    });
    ended();
  }

  /** Writes down the ends that wait for it; what fails is reported and waits for the next time. */
  async function noteEnds(): Promise<void> {
    for (const [id, note] of [...unnoted]) {
      try {
        await note();
        unnoted.delete(id);
      } catch (error) {
        ports.report("helper.end-not-noted", { delegation: id, reason: reasonOf(error) });
      }
    }
  }

  return {
    onStarted: (listener: (delegation: Delegation, work: Work) => void) =>
      void startedListeners.push(listener),
    onEnded: (listener: (delegation: Delegation) => void) => void endedListeners.push(listener),
    count: () => live.size,
    noteEnd,
    noteEnds,
    /** Whether a process is a helper, or was started by one. */
    isHelper: async (pid: number): Promise<boolean> =>
      leaders.size > 0 && helpers !== undefined && (await helpers.processes.isOf(pid, [...leaders.values()])),
    tailOf: (delegationId: string) => tails.get(delegationId),

    /** Tracked before anything is done that could fail. */
    launch(launch: Launch): void {
      const one = liveOf(launch);
      const hash = sha256Hex(launch.token);
      live.set(hash, one);
      one.finished = lifeOf(one, hash).catch((error: unknown) => {
        live.delete(hash);
        ports.report("helper.failed", { delegation: one.delegation.id, reason: reasonOf(error) });
      });
    },

    delegateOf(token: string): LiveHelper | undefined {
      const one = live.get(sha256Hex(token));
      return one?.mayAct() ? one : undefined;
    },

    async end(delegationId: string): Promise<void> {
      const one = [...live.values()].find(({ delegation }) => delegation.id === delegationId);
      if (!one) throw meshError("NOT_FOUND", "No helper with that id runs.");
      await terminate(one, "stopped", KILL_AFTER_MS);
      await one.finished;
    },

    async stop(): Promise<void> {
      isStopping = true;
      const all = [...live.values()];
      await Promise.all(
        all.map(async (one) => {
          await terminate(one, "node stopped", STOP_KILL_AFTER_MS);
          await one.finished;
        }),
      );
    },
  };
}

function outcomeOf({ reason, process }: Live, end: ProcessEnd): string {
  if (!process || end.kind === "not started") return reason ?? "never started";
  return reason ?? (end.kind === "exited" && end.code === 0 ? "done" : "failed");
}

function exitFields(end: ProcessEnd): JsonObject {
  if (end.kind === "exited") return { exit_code: end.code };
  return end.kind === "killed" ? { signal: end.signal } : {};
}

const texts = (files: Readonly<Record<string, object>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, value]) => [name, JSON.stringify(value, null, 2)]));

/** Where programs of this machine reach this node; no other may. */
function mcpUrl({ listening }: Pick<MeshPorts, "listening">): string {
  const port = listening()?.port;
  if (port === undefined) throw meshError("INACTIVE", "This node does not listen yet.");
  return `http://127.0.0.1:${port}/mcp`;
}
