import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { stdioAgent } from "../agents.ts";
import { type Checks, until, within } from "../checks.ts";
import { gone, type Home, PROGRAM, type World } from "../world.ts";
import type { Three } from "./three.ts";

const END_MS = 3000;
const BEGIN = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
};

/** How sessions end: by the end of their stdin, and with nothing left. */
export async function checkEnd({ check }: Checks, three: Three): Promise<void> {
  const { world, homes, ana, bo, boLegacy, cy, boNode } = three;

  await check(
    "mcp: the end of stdin ends a session that owns the state, and leaves no process and no socket",
    async () => {
      const home = world.home("eve", 0);
      const sockets = world.sockets();
      const session = await startSession(world, home);
      assert.equal(world.sockets().length, sockets.length + 1, "it listens while it runs");
      session.stdin?.end();
      assert.equal(await ended(session), 0);
      assert.deepEqual(world.sockets(), sockets);
    },
  );

  await check("mcp: the end of an attached session's stdin ends that session alone", async () => {
    const attached = await startSession(world, homes.cy);
    attached.stdin?.end();
    assert.equal(await ended(attached), 0);
    await cy.ask("list_inbox");
  });

  await check("mcp: a client that asks and closes at once is answered before the session ends", async () => {
    const session = spawnSession(world, homes.cy);
    let text = "";
    session.stdout?.on("data", (chunk) => (text += chunk));
    session.stdin?.end(`${JSON.stringify(BEGIN)}\n`);
    assert.equal(await ended(session), 0);
    assert.match(text, /"serverInfo"/);
  });

  await check("mcp: when all is over nothing of it runs or listens any more", async () => {
    const restarted = await stdioAgent(world, homes.ana, "1.x");
    await Promise.allSettled([ana, bo, boLegacy, cy, restarted].map((agent) => agent.close()));
    await world
      .command(homes.bo, "status")
      .then(({ json }) => json.running && process.kill(json.pid, "SIGTERM"));
    await until("no process is left", () => world.living().length === 0, 8000);
    await gone(boNode.pid);
    assert.deepEqual(world.sockets(), []);
  });
}

async function startSession(world: World, home: Home): Promise<ChildProcess> {
  const session = spawnSession(world, home);
  session.stdin?.write(`${JSON.stringify(BEGIN)}\n`);
  await within(10_000, new Promise((done) => session.stdout?.once("data", done)));
  return session;
}

function spawnSession(world: World, home: Home): ChildProcess {
  const session = spawn(process.execPath, [PROGRAM, "mcp"], {
    cwd: home.project,
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...home.env },
  });
  session.on("exit", world.adopt(session.pid as number));
  return session;
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return within(END_MS, new Promise<number | null>((done) => child.once("exit", done)));
}
