import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, real } from "../testing/commands.ts";
import { type TestHome, testHome } from "../testing/program.ts";

const CLAUDE = { name: "claude-code", version: "2.1.80" };

/** A session of a client of that name, which does what it is pushed to do unless it is told to sleep on. */
async function claude(home: TestHome, { wakes }: { readonly wakes: boolean }) {
  const program = real(home, ["mcp"]);
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLAUDE };
  await program.request("initialize", params);
  program.notify("notifications/initialized");
  const pushed = () => program.notices.filter(({ method }) => method === "notifications/claude/channel");
  const timer = setInterval(() => {
    if (!wakes || pushed().length === 0) return;
    clearInterval(timer);
    void program.call("darkmatter_list_inbox");
  }, 50);
  return {
    pushed,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await program[Symbol.asyncDispose]();
    },
  };
}

const nothingLeft = async (home: TestHome) => {
  expect((await command(home, "peers")).said).toMatchObject({ connections: [] });
  expect((await command(home, "status")).said).toMatchObject({ inbox: 0, connections: 0 });
  expect(readdirSync(home.temporary).filter((name) => /^darkmatter-\w{6}$/.test(name))).toEqual([]);
};

test.concurrent("doctor wake sees a client that takes notices wake, says by what, and leaves nothing behind", async () => {
  using home = testHome();
  await using node = real(home, ["up", "--json"]);
  await node.firstLine();
  await using client = await claude(home, { wakes: true });
  const { code, said } = await command(home, "doctor", "wake");
  expect(said).toMatchObject({ woke: true, way: "channel" });
  expect(said.rungs.map(({ rung }: { rung: string }) => rung)).toEqual(
    expect.arrayContaining(["asked", "woken"]),
  );
  expect(code).toBe(0);
  expect(client.pushed()).toHaveLength(1);
  await nothingLeft(home);
}, 40_000);

test.concurrent("doctor wake goes on to the hook when the client sleeps on, and says that the hook woke it", async () => {
  using home = testHome();
  const hook = join(home.temporary, "hook.sh");
  writeFileSync(hook, `#!/bin/sh\nexec curl -sS "$1/__darkmatter__/inbox"\n`);
  chmodSync(hook, 0o755);
  // The hook has to know where the node listens, which is chosen when it starts: the port of a first run is kept.
  const first = real(home, ["up", "--json"]);
  const { url } = await first.firstLine();
  await first[Symbol.asyncDispose]();
  const settings = { DARKMATTER_WAKE_HOOK: `${hook} ${url}`, DARKMATTER_PORT: new URL(url).port };
  await using node = real(home, ["up", "--json"], settings);
  expect((await node.firstLine()).url).toBe(url);
  await using _client = await claude(home, { wakes: false });
  const { code, said } = await command(home, "doctor", "wake");
  expect(said).toMatchObject({ woke: true, way: "hook" });
  expect(code).toBe(0);
  await nothingLeft(home);
}, 60_000);

test.concurrent("Ctrl-C ends doctor wake, and leaves nothing behind", async () => {
  using home = testHome();
  await using node = real(home, ["up", "--json"]);
  await node.firstLine();
  await using client = await claude(home, { wakes: false });
  await using doctor = real(home, ["doctor", "wake", "--json"]);
  await expect.poll(() => client.pushed().length, { timeout: 15_000 }).toBe(1);
  doctor.child.kill("SIGINT");
  expect(await doctor.exited).not.toBe(0);
  await nothingLeft(home);
}, 40_000);
