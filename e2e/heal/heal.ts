import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { type Checks, sleep, within } from "../checks.ts";
import { createWorld, freePorts, type World } from "../world.ts";
import { healInNamespaces } from "./namespaces.ts";
import { Party } from "./party.ts";

/** A peer that says where it is is tried at once: the rest is for a busy machine. */
const TOLD_MS = 6000;
/** A peer that has to be looked for: a second attempt is due after 5 s at most. */
const SOUGHT_MS = 12_000;
const WOKEN_MS = 2000;
/** As long as a closed lid, or in a short round long enough for everything to fail. */
const SLEEP_MS = { whole: 60_000, short: 12_000 } as const;

/** What heals within a minute, on real processes (mesh.md 9 and 20). */
export async function runHeal(checks: Checks, { short }: { readonly short: boolean }): Promise<void> {
  await using world = createWorld();
  await restartElsewhere(world, checks);
  await bothMoved(world, checks);
  await bothMovedAlone(world, checks);
  await bothRestarted(world, checks);
  await anchorGone(world, checks);
  await asleep(world, checks, short ? SLEEP_MS.short : SLEEP_MS.whole);
  await healInNamespaces(world, checks);
}

async function parties(
  world: World,
  names: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Party[]> {
  const ports = await freePorts(names.length);
  return Promise.all(
    names.map((name, at) => new Party(world, world.home(name, ports[at] as number, env)).start()),
  );
}

const anotherPort = async () => (await freePorts(1))[0] as number;

async function restartElsewhere(world: World, { check }: Checks): Promise<void> {
  const [ana, bo] = (await parties(world, ["a1", "b1"])) as [Party, Party];
  await check(
    "heal: a peer restarted on another port gets what was sent meanwhile, and answers",
    async () => {
      await ana.connect(bo);
      await bo.stop();
      const ids = [await ana.send(bo, "one"), await ana.send(bo, "two")];
      await bo.start(await anotherPort());
      await bo.receives(ids, TOLD_MS);
      await ana.receives([await bo.send(ana, "back")], TOLD_MS);
    },
  );
  await Promise.all([ana.stop(), bo.stop()]);
}

async function bothMoved(world: World, { check }: Checks): Promise<void> {
  const [ana, bo, cy] = (await parties(world, ["a2", "b2", "c2"])) as [Party, Party, Party];
  await check(
    "heal: two that both moved find each other by a third",
    async () => {
      await ana.connect(bo);
      await ana.connect(cy);
      await bo.connect(cy);
      await Promise.all([ana.stop(), bo.stop()]);
      await Promise.all([ana.start(await anotherPort()), bo.start(await anotherPort())]);
      await bo.receives([await ana.send(bo, "where are you?")], SOUGHT_MS);
      await ana.receives([await bo.send(ana, "here")], SOUGHT_MS);
    },
    60_000,
  );
  await Promise.all([ana.stop(), bo.stop(), cy.stop()]);
}

async function bothMovedAlone(world: World, { check }: Checks): Promise<void> {
  const ports = (await freePorts(4)) as [number, number, number, number];
  const env = { DARKMATTER_DISCOVERY: "true", DARKMATTER_DISCOVERY_PORTS: ports.join(",") };
  const party = (name: string, port: number) => new Party(world, world.home(name, port, env)).start();
  const [ana, bo] = await Promise.all([party("a3", ports[0]), party("b3", ports[1])]);
  await check(
    "heal: two of one machine that both moved, and know nobody else, find each other by looking round",
    async () => {
      await ana.connect(bo);
      await Promise.all([ana.stop(), bo.stop()]);
      await Promise.all([ana.start(ports[2]), bo.start(ports[3])]);
      await bo.receives([await ana.send(bo, "where are you?")], SOUGHT_MS);
      await ana.receives([await bo.send(ana, "here")], SOUGHT_MS);
    },
    60_000,
  );
  await Promise.all([ana.stop(), bo.stop()]);
}

async function bothRestarted(world: World, { check }: Checks): Promise<void> {
  const [ana, bo] = (await parties(world, ["a4", "b4"])) as [Party, Party];
  await check(
    "heal: what waits outlives a restart of both, and arrives once",
    async () => {
      await ana.connect(bo);
      await bo.stop();
      const ids = [await ana.send(bo, "one"), await ana.send(bo, "two"), await ana.send(bo, "three")];
      await ana.node.kill();
      await bo.start();
      await ana.start();
      await bo.receives(ids, SOUGHT_MS);
      await sleep(1000);
      await bo.receives(ids, TOLD_MS);
    },
    60_000,
  );
  await Promise.all([ana.stop(), bo.stop()]);
}

async function anchorGone(world: World, { check }: Checks): Promise<void> {
  const port = await anotherPort();
  const home = world.home("anchor", port);
  const anchor = world.start(home, ["serve", "anchor", "--port", String(port), "--json"]);
  const { url } = await firstLine(anchor);
  const [ana, bo] = (await parties(world, ["a5", "b5"], { DARKMATTER_ANCHOR_NODES: url })) as [Party, Party];
  await check(
    "heal: an anchor knows where its agents are; without it they go on, and a moved one is still found",
    async () => {
      await ana.connect(bo);
      const known = await fetch(`${url}/__darkmatter__/peer_lookup/${bo.id}`);
      const { url: told } = (await known.json()) as { url: string };
      assert.deepEqual([known.status, told], [200, bo.node.url]);
      anchor.kill("SIGKILL");
      await bo.receives([await ana.send(bo, "without it")], TOLD_MS);
      await bo.stop();
      const id = await ana.send(bo, "wait");
      await bo.start(await anotherPort());
      await bo.receives([id], TOLD_MS);
    },
    60_000,
  );
  await Promise.all([ana.stop(), bo.stop()]);
}

async function asleep(world: World, { check, figure }: Checks, sleepMs: number): Promise<void> {
  const [ana, bo] = (await parties(world, ["a6", "b6"])) as [Party, Party];
  await check(
    `heal: a peer that slept ${sleepMs / 1000} s has what waited within 2 s of waking, once`,
    async () => {
      await ana.connect(bo);
      await bo.receives([await ana.send(bo, "before")], TOLD_MS);
      const wake = bo.pause();
      const [first, second] = [await ana.send(bo, "asleep?"), await ana.send(bo, "still?")];
      await sleep(sleepMs);
      wake();
      const tookMs = await bo.receives([first, second], WOKEN_MS);
      figure("heal.after_sleep_ms", tookMs, "ms");
      // Its own way out was not used while it slept: the first request must not be lost to a dead connection.
      await ana.receives([await bo.send(ana, "awake")], WOKEN_MS);
    },
    sleepMs + 60_000,
  );
  await Promise.all([ana.stop(), bo.stop()]);
}

async function firstLine(child: ChildProcess): Promise<{ url: string }> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return JSON.parse(await within(15_000, new Promise<string>((done) => lines.once("line", done))));
}
