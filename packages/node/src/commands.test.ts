import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, real, typed } from "./testing/commands.ts";
import { testHome } from "./testing/program.ts";

const SLOW = { timeout: 60_000 };
/** Asks until there is something. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
  }
}

test(
  "two people talk by commands: one node runs, the other command is a node for as long as it takes",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using node = real(ana, ["up", "--json"], { DARKMATTER_DISPLAY_NAME: "Ana" });
    const { url } = await node.firstLine();

    expect(await command(bo, "connect", url)).toMatchObject({ code: 0, said: { status: "connected" } });
    const peers = await command(bo, "peers");
    expect(peers.said.connections).toMatchObject([{ agent_id: ana.agentId }]);
    const sent = await command(bo, "send", ana.agentId.slice(0, 8), "hello", "there");
    expect(sent).toMatchObject({ code: 0, said: { routed_to: [ana.agentId] } });

    const inbox = await command(ana, "inbox");
    expect(inbox.said.messages).toMatchObject([
      { message_id: sent.said.message_id, from_agent_id: bo.agentId },
    ]);
    expect((await command(ana, "inbox", sent.said.message_id)).said.content).toBe("hello there");
    expect(await command(ana, "status")).toMatchObject({
      code: 0,
      said: { running: true, pid: node.pid, url, connections: 1, inbox: 1, log: ana.places.log },
    });

    await using hearing = real(bo, ["up", "--json"]);
    await hearing.firstLine();
    const reply = await command(ana, "reply", sent.said.message_id.slice(0, 10), "hello", "yourself");
    expect(reply).toMatchObject({ code: 0, said: { success: true } });
    expect((await command(ana, "inbox")).said.messages).toEqual([]);
    expect((await command(bo, "sent", sent.said.message_id)).said.responses).toMatchObject([
      { agent_id: ana.agentId, response: "hello yourself" },
    ]);
    const way = await typed(bo, "sent", sent.said.message_id);
    expect(way.out).toContain(`\nAna ${ana.agentId.slice(0, 12)}:\n`);
    expect(way.out).toContain(`Ana ${ana.agentId.slice(0, 12)} answers: hello yourself`);

    const waiting = command(bo, "send", ana.agentId, "and who are you?", "--wait", "20");
    const asked = await until(async () => (await command(ana, "inbox")).said.messages[0]?.message_id);
    await command(ana, "reply", asked, "Ana");
    expect(await waiting).toMatchObject({ code: 0, said: { responses: [{ response: "Ana" }] } });
    expect((await command(bo, "send", ana.agentId, "x", "--wait", "soon")).code).toBe(2);

    expect(await command(ana, "block", bo.agentId.slice(0, 8))).toMatchObject({
      code: 0,
      said: { blocked: true },
    });
    expect((await command(ana, "peers")).said.connections).toEqual([]);
  },
);

test("reading commands work with no node running, and change nothing", SLOW, async () => {
  using home = testHome();
  expect(await command(home, "inbox")).toMatchObject({ code: 1, said: { hint: "Start one: darkmatter up" } });
  await using node = real(home, ["up", "--json"]);
  await node.firstLine();
  node.child.kill("SIGTERM");
  expect(await node.exited).toBe(0);
  const before = readFileSync(home.places.database);

  expect(await command(home, "status")).toMatchObject({
    code: 0,
    said: { running: false, agent_id: home.agentId },
  });
  expect(await command(home, "inbox")).toMatchObject({ code: 0, said: { messages: [] } });
  expect(await command(home, "peers")).toMatchObject({ code: 0, said: { connections: [], requests: [] } });

  expect(readFileSync(home.places.database).equals(before)).toBe(true);
});

test(
  "a message that waits is shown with no node running, and neither that nor status counts as reading it",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using node = real(bo, ["up", "--json"]);
    const { url } = await node.firstLine();
    await command(ana, "connect", url);
    const sent = await command(ana, "send", bo.agentId, "still here?");
    expect((await command(bo, "status")).said.inbox).toBe(1);
    node.child.kill("SIGTERM");
    expect(await node.exited).toBe(0);

    expect(await command(bo, "status")).toMatchObject({ code: 0, said: { running: false, inbox: 1 } });
    for (let times = 0; times < 2; times++) {
      expect(await command(bo, "inbox")).toMatchObject({
        code: 0,
        said: { messages: [{ message_id: sent.said.message_id, read: false }] },
      });
    }
  },
);

test("why an agent refuses is said, and its words move no cursor", SLOW, async () => {
  using home = testHome();
  const words = "no \u001b[2J\u202e entry";
  const rude = createServer((_request, response) => {
    response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ error: words }));
  });
  await new Promise<void>((resolve) => rude.listen(0, "127.0.0.1", resolve));
  const { port } = rude.address() as AddressInfo;
  const refused = await command(home, "connect", `http://127.0.0.1:${port}`);
  rude.close();
  expect(refused.code).toBe(1);
  expect(refused.said.error).toMatch(/HTTP 400, it says "no .*entry"$/);
  expect(refused.said.error).not.toContain("\u001b");
  expect(refused.said.hint).toMatch(/answer says why/);
});

test("a clean stop writes the state file, which a first start elsewhere takes over", SLOW, async () => {
  using home = testHome();
  const file = join(home.home, "state", `${home.agentId}.json`);
  await using node = real(home, ["up", "--json"]);
  await node.firstLine();
  node.child.kill("SIGINT");
  await node.exited;
  const state = JSON.parse(readFileSync(file, "utf8"));
  expect(state).toMatchObject({ agent_id: home.agentId, message_queue: [] });

  rmSync(home.places.folder, { recursive: true });
  writeFileSync(file, JSON.stringify({ ...state, display_name: "carried-over", unknown_field: 7 }));
  await using again = real(home, ["up", "--json"]);
  await again.firstLine();
  expect((await command(home, "status")).said.display_name).toBe("carried-over");
  expect((await command(home, "state", "export")).said.file).toBe(file);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    display_name: "carried-over",
    unknown_field: 7,
  });
  expect(await command(home, "state", "import")).toMatchObject({
    code: 1,
    said: { error: expect.stringMatching(/node runs/) },
  });
});

test(
  "a state file that cannot be used keeps the node from starting until it is left out, and is never overwritten",
  SLOW,
  async () => {
    using home = testHome();
    const file = join(home.home, "state", `${home.agentId}.json`);
    expect(await command(home, "state", "import", "--skip")).toMatchObject({ code: 0 });
    rmSync(home.places.folder, { recursive: true });
    writeFileSync(file, "{ damaged");

    const refused = await command(home, "up");
    expect(refused.code).toBe(1);
    expect(refused.said.error).toContain(file);
    expect(refused.said.hint).toContain("darkmatter state import --skip");

    expect(await command(home, "state", "import", "--skip")).toMatchObject({
      code: 0,
      said: { skipped: true },
    });
    await using node = real(home, ["up", "--json"]);
    await node.firstLine();
    node.child.kill("SIGTERM");
    expect(await node.exited).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("{ damaged");
  },
);

test("a passport is backed up, lost, and restored", SLOW, async () => {
  using home = testHome();
  const backup = join(home.temporary, "backup.json");
  expect((await command(home, "passport", "show")).said).toEqual({
    agent_id: home.agentId,
    passport: home.passport,
  });
  expect(await command(home, "passport", "backup", backup)).toMatchObject({ code: 0 });
  expect(await command(home, "passport", "backup", backup)).toMatchObject({ code: 1 });
  const key = readFileSync(home.passport, "utf8");
  rmSync(home.passport);
  expect(await command(home, "passport", "show")).toMatchObject({ code: 1 });
  expect(await command(home, "passport", "restore", backup)).toMatchObject({
    code: 0,
    said: { outcome: "written" },
  });
  expect(readFileSync(home.passport, "utf8")).toBe(key);
});

test("mistakes of usage end with 2 and say what there is", SLOW, async () => {
  using home = testHome();
  await using unknown = real(home, ["frobnicate"]);
  expect(await unknown.exited).toBe(2);
  expect(unknown.stderr()).toContain("unknown command");
  await using missing = real(home, ["send"]);
  expect(await missing.exited).toBe(2);
});

test("the demo shows every step, ends in time and leaves nothing behind", SLOW, async () => {
  using home = testHome();
  const begun = performance.now();
  const { code, said } = await command(home, "demo");
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(said.steps.filter(({ ok }: { ok: boolean }) => !ok)).toEqual([]);
  expect([code, said.ok, said.steps.length]).toEqual([0, true, 10]);
  for (const step of said.steps) {
    for (const [, pid] of step.detail.matchAll(/process (\d+)/g))
      expect(existsSync(`/proc/${pid}`)).toBe(false);
  }
});
