import { expect, test } from "vitest";
import { isThere, startProgram, testHome, until } from "./testing/program.ts";

const SLOW = { timeout: 30_000 };

test(
  "the first session owns the state, a second one attaches to it, and both see the same",
  SLOW,
  async () => {
    using home = testHome();
    await using first = await startProgram(home).open();
    expect(await first.call("note", { text: "one" })).toMatchObject({ pid: first.pid });

    await using second = await startProgram(home).open();

    expect(await second.call("notes")).toMatchObject({
      pid: first.pid,
      agent_id: home.agentId,
      notes: ["one"],
    });
  },
);

test(
  "when the owner is killed, a session takes over with the same state, and the call in flight is answered once",
  SLOW,
  async () => {
    using home = testHome();
    await using owner = await startProgram(home).open();
    await using survivor = await startProgram(home).open();
    const inFlight = survivor.call("note", { text: "once", delay_ms: 2000 }, { progressToken: "p" });
    await until(() => survivor.notices.some(({ method }) => method === "notifications/progress"));

    const killedAt = performance.now();
    owner.child.kill("SIGKILL");
    const after = await survivor.call("notes");

    expect(performance.now() - killedAt).toBeLessThan(2000);
    expect(after).toMatchObject({ pid: survivor.pid, notes: ["once"] });
    expect(await inFlight).toMatchObject({ pid: owner.pid, answered_by: survivor.pid });
    expect((await survivor.call("notes")).notes).toEqual(["once"]);
    const ids = survivor.answers.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(survivor.notices.filter(({ method }) => method === "notifications/progress")).toHaveLength(1);
    expect(survivor.notices.some(({ method }) => method === "notifications/tools/list_changed")).toBe(true);
  },
);

test("a stopped owner is reported, never robbed, and goes on when it is continued", SLOW, async () => {
  using home = testHome();
  await using owner = await startProgram(home).open();
  await using attached = await startProgram(home).open();
  owner.child.kill("SIGSTOP");

  await using late = startProgram(home);
  const [refused, failed] = await Promise.all([late.request("initialize", {}), attached.call("notes")]);

  for (const { error } of [refused, failed]) {
    expect(error.message).toContain(`(${owner.pid}) is stopped`);
    expect(error.message).toContain(`kill -CONT ${owner.pid}`);
  }
  owner.child.kill("SIGCONT");
  expect(await attached.call("notes")).toMatchObject({ pid: owner.pid });
  expect(await (await late.open()).call("notes")).toMatchObject({ pid: owner.pid });
});

test("four sessions started at the same instant make one owner", SLOW, async () => {
  using home = testHome();
  await using a = startProgram(home);
  await using b = startProgram(home);
  await using c = startProgram(home);
  await using d = startProgram(home);
  const found = await Promise.all([a, b, c, d].map(async (one) => (await one.open()).call("notes")));
  expect(new Set(found.map(({ pid }) => pid)).size).toBe(1);
  expect(found).toHaveLength(4);
});

test(
  "the end of stdin ends a session, the owner's leaves no socket, and what was asked before it is answered",
  SLOW,
  async () => {
    using home = testHome();
    await using owner = startProgram(home);
    const answered = owner.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "test", version: "0" },
    });
    owner.child.stdin.end();

    expect((await answered).result.serverInfo.name).toBe("darkmatter");
    expect(await owner.exited).toBe(0);
    expect(isThere(home.socket)).toBe(false);
  },
);

test("an owner whose client leaves hands its sessions to one of them", SLOW, async () => {
  using home = testHome();
  await using owner = await startProgram(home).open();
  await using survivor = await startProgram(home).open();
  await survivor.call("note", { text: "kept" });
  owner.child.stdin.end();
  expect(await owner.exited).toBe(0);
  expect(await survivor.call("notes")).toMatchObject({ pid: survivor.pid, notes: ["kept"] });
});

test("asked to stop, an owner ends cleanly and leaves no socket", SLOW, async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    using home = testHome();
    await using owner = await startProgram(home).open();
    expect(isThere(home.socket)).toBe(true);
    owner.child.kill(signal);
    expect(await owner.exited).toBe(0);
    expect(isThere(home.socket)).toBe(false);
    expect(owner.stderr()).toBe("");
  }
});

test("a client that only asks what there is leaves the state to others", SLOW, async () => {
  using home = testHome();
  await using curious = startProgram(home);
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "0" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const discovered = await curious.request("server/discover", { _meta: meta });
  expect(discovered.result.supportedVersions).toContain("2026-07-28");
  expect(isThere(home.places.ownerCard)).toBe(false);

  await using owner = await startProgram(home).open();
  expect(await owner.call("notes")).toMatchObject({ pid: owner.pid });
  expect(await curious.call("notes", {}, meta)).toMatchObject({ pid: owner.pid });
});

test(
  "a newer program is handed ownership, and the older one's session goes on through it",
  SLOW,
  async () => {
    using home = testHome();
    await using older = await startProgram(home, ["mcp"], { FAKE_VERSION: "0.1.9" }).open();
    await older.call("note", { text: "kept" });
    await using newer = await startProgram(home, ["mcp"], { FAKE_VERSION: "0.1.10" }).open();
    expect(await newer.call("notes")).toMatchObject({ pid: newer.pid, notes: ["kept"] });
    expect(await older.call("notes")).toMatchObject({ pid: newer.pid, notes: ["kept"] });
  },
);
