import { HOUR_MS, type JsonObject, type Random, reasonOf } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { TEST_CONFIG } from "@darkmatter/mesh/testing";
import type { MemoryHost } from "@darkmatter/net/testing";
import { type Layer, nodeAssembly } from "@darkmatter/node";
import { type Database, forgetOnce } from "@darkmatter/store";
import { createHandler, runJobs } from "@darkmatter/surface";
import { toolHarness } from "@darkmatter/surface/testing";
import { createDisk, type Disk } from "./disk.ts";
import { createLife, type Life } from "./life.ts";
import {
  processClock,
  processDatabase,
  processHandler,
  processMulticast,
  processWebRtc,
  processWire,
} from "./process-ports.ts";
import type { World } from "./world.ts";

export interface MachineOptions {
  readonly name: string;
  readonly host: MemoryHost;
  /** Which local network it is in. */
  readonly network: string;
  readonly port: number;
  readonly skewMs: number;
  /** Whether a library for data channels is installed. */
  readonly channels: boolean;
  readonly config?: Partial<typeof TEST_CONFIG>;
  readonly pageBytes?: number;
  /** What a node meets that it did not foresee. */
  readonly unforeseen: (what: string) => void;
}

/** A computer with an agent's node on it: its disk and key stay, its processes come and go. */
export interface Machine {
  readonly name: string;
  readonly id: string;
  readonly signer: Signer;
  readonly host: MemoryHost;
  readonly disk: Disk;
  /** Whether it asks its router for a port, so that it can be called from outside. */
  readonly isMapped: boolean;
  port: number;
  skewMs: number;
  /** The running process; `undefined` between two. */
  readonly running: Running | undefined;
  /** Starts a process unless one runs; resolves when it serves, `false` when it died before. */
  start(): Promise<boolean>;
  /** Stops it as its owner does, with everything brought to its end. */
  stop(): Promise<void>;
  /** Without a word, wherever it is. */
  kill(): void;
  /** What it answers, `undefined` when the process died meanwhile or none runs. */
  call(tool: string, input?: object, callId?: string): Promise<JsonObject | undefined>;
}

export interface Running {
  readonly life: Life;
  readonly layer: Layer;
}

const CALL_KEPT_MS = HOUR_MS;
const KEY_BYTES = 32;

export async function createMachine(world: World, options: MachineOptions): Promise<Machine> {
  const { name, host, unforeseen } = options;
  const { trace } = world;
  const random = world.random(`machine ${name}`);
  const signer = world.signatures.signer(random.bytes(KEY_BYTES));
  const disk = await createDisk({
    pageBytes: options.pageBytes,
    onCommit: () => trace.note("commit", name),
    report: (error) => unforeseen(`${name}: what follows a commit: ${stackOf(error)}`),
  });
  let starting: Promise<boolean> | undefined;
  let running: (Running & { readonly call: Machine["call"]; stop(): Promise<void> }) | undefined;

  async function begin(): Promise<boolean> {
    const life = createLife();
    life.onEnd(() => {
      running = undefined;
      disk.disarm();
      host.reset();
      trace.note("dead", name);
    });
    trace.note("start", name);
    const started = startProcess(world, machine, options, { random, life, unforeseen }).then(
      (process) => {
        running = process;
        trace.note("ready", name);
        return true;
      },
      (error: unknown) => {
        unforeseen(`${name} does not start: ${stackOf(error)}`);
        life.end();
        return false;
      },
    );
    return orDeath(life, started, false);
  }

  const machine: Machine = {
    name,
    id: signer.agentId,
    signer,
    host,
    disk,
    isMapped: options.config?.portMapping ?? false,
    port: options.port,
    skewMs: options.skewMs,
    get running() {
      return running;
    },

    start() {
      if (running) return Promise.resolve(true);
      starting ??= begin().finally(() => {
        starting = undefined;
      });
      return starting;
    },

    async stop() {
      const process = running;
      if (!process) return;
      trace.note("stop", name);
      await orDeath(process.life, process.stop(), undefined);
      process.life.end();
    },

    kill: () => running?.life.end(),
    call: async (tool, input, callId) => running?.call(tool, input, callId),
  };
  return machine;
}

interface ProcessPorts {
  readonly random: Random;
  readonly life: Life;
  readonly unforeseen: (what: string) => void;
}

/** The same steps as a node's own start, over the ports of one process. */
async function startProcess(
  world: World,
  machine: Machine,
  { network, config, channels }: MachineOptions,
  { random, life, unforeseen }: ProcessPorts,
) {
  const { name, host, signer } = machine;
  const clock = processClock(world, life, () => machine.skewMs);
  const db = processDatabase(world, life, name, machine.disk.db);
  const report = (event: string, context: Readonly<Record<string, string | number>>) => {
    world.trace.note("report", name, event, JSON.stringify(context));
    if (event === "job.failed") unforeseen(`${name}: ${event} ${JSON.stringify(context)}`);
  };
  await machine.disk.prepare(db);
  const lan = world.lan(network).multicastOf({ address: () => host.address });
  const { port } = machine;
  const layer = nodeAssembly.create({
    db,
    wire: processWire(world, life, name, host.openWire()),
    clock,
    random,
    signer,
    verifier: world.signatures.verifier,
    config: { ...TEST_CONFIG, displayName: name, ...config },
    listening: () => ({ host: host.address, port }),
    serving: () => handler,
    lanAddresses: () => [host.address],
    multicast: processMulticast(life, lan),
    webRtc: channels ? processWebRtc(world, life, name, world.webRtc.on(host)) : undefined,
    portMapper: host.portMapper,
    bundleFiles: { keep: async (file) => file, read: async () => new Uint8Array() },
    report,
  });
  const handler = createHandler(layer.routes, {
    onError: ({ route, error }) => unforeseen(`${name}: 500 at ${route}: ${stackOf(error)}`),
  });
  const listening = host.listen(port, processHandler(life, handler));
  life.onEnd(() => listening[Symbol.dispose]());
  await layer.start();
  const failed = (job: string, reason: string) => report("job.failed", { job, reason });
  const jobs = runJobs([...layer.jobs, forgetting(db, () => clock.now())], clock, failed);
  life.onEnd(() => jobs[Symbol.dispose]());
  const harness = toolHarness(layer.tools);

  return {
    life,
    layer,
    async call(tool: string, input: object = {}, callId?: string) {
      const calling = harness.call(`darkmatter_${tool}`, input as JsonObject, callId ? { callId } : {});
      const answer = await orDeath(
        life,
        life.act(() => calling),
        undefined,
      );
      for (const error of harness.errors as unknown[]) unforeseen(`${name}: ${tool}: ${stackOf(error)}`);
      (harness.errors as unknown[]).length = 0;
      return answer;
    },
    async stop() {
      jobs[Symbol.dispose]();
      listening[Symbol.dispose]();
      await layer.stop();
    },
  };
}

const forgetting = (db: Database, now: () => number) => ({
  name: "once",
  periodMs: CALL_KEPT_MS,
  run: async () => void (await db.write((tx) => forgetOnce(tx, now(), CALL_KEPT_MS))),
});

/** What is promised, or `dead` when the process dies before. */
function orDeath<T, D>(life: Life, promised: Promise<T>, dead: D): Promise<T | D> {
  return new Promise((resolve, reject) => {
    const ignore = life.onEnd(() => resolve(dead));
    promised.then(resolve, reject).finally(ignore);
  });
}

const stackOf = (error: unknown) => (error instanceof Error && error.stack) || reasonOf(error);
