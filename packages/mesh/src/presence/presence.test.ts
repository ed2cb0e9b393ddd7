import { MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";

async function nodeAndPeer() {
  const net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const statuses = async () => [
    (await bo.post(ana, "message", bo.message())).status,
    (await bo.post(ana, "connection_request", bo.request())).status,
  ];
  return { net, ana, bo, statuses };
}

test("an inactive agent takes no messages and requests, and says so to whoever looks", async () => {
  const { net, ana, statuses } = await nodeAndPeer();
  await using _ = net;
  const set = await ana.tool("set_status", { status: "inactive", duration_minutes: 5 });
  expect(set).toMatchObject({
    status: "inactive",
    duration_minutes: 5,
    inactive_until: "2026-03-05T12:05:00+00:00",
  });
  expect(await statuses()).toEqual([503, 503]);
  for (const path of ["/.well-known/darkmatter.json", "/__darkmatter__/status"]) {
    expect((await ana.local({ path })).json).toMatchObject({ status: "inactive" });
  }
  expect(await ana.tool("set_status", { status: "active" })).toMatchObject({ success: true });
  expect(await statuses()).toEqual([200, 200]);
});

test("an inactive agent still hears the answers to what it asked", async () => {
  const { net, ana, bo } = await nodeAndPeer();
  await using _ = net;
  const sent = await ana.tool("send_message", { content: "?", target_agent_id: bo.id });
  const id = String(sent.message_id);
  await ana.tool("set_status", { status: "inactive" });
  expect((await bo.post(ana, `webhook/${id}`, bo.reply(id, "!"))).status).toBe(200);
});

test("it becomes active by itself when its time is over, before any timer looks", async () => {
  const { net, ana, statuses } = await nodeAndPeer();
  await using _ = net;
  await ana.tool("set_status", { status: "inactive", duration_minutes: 5 });
  await net.clock.advance(5 * MINUTE_MS - 1);
  expect(await statuses()).toEqual([503, 503]);
  await net.clock.advance(1);
  expect(await statuses()).toEqual([200, 200]);
  await ana.job("status.look");
  const stored = "SELECT value FROM mesh_settings WHERE name = 'status'";
  expect(await ana.db.get(stored)).toEqual({ value: "active" });
});

test("a restart is active", async () => {
  const { net, ana, statuses } = await nodeAndPeer();
  await using _ = net;
  await ana.tool("set_status", { status: "inactive", duration_minutes: 1440 });
  await ana.mesh.stop();
  expect(await statuses()).toEqual([503, 503]);
  await ana.mesh.start();
  expect(await statuses()).toEqual([200, 200]);
});

test("the local route takes it away without an end, and back; other words change nothing", async () => {
  const { net, ana, statuses } = await nodeAndPeer();
  await using _ = net;
  const config = (status: unknown) =>
    ana.local({ method: "POST", path: "/__darkmatter__/config", body: { status } });
  expect((await config("inactive")).json).toEqual({ success: true, changes: { status: "inactive" } });
  await net.clock.advance(1440 * MINUTE_MS);
  expect(await statuses()).toEqual([503, 503]);
  expect((await config("asleep")).json).toEqual({ success: true, changes: {} });
  expect((await config("active")).json).toEqual({ success: true, changes: { status: "active" } });
  expect(await statuses()).toEqual([200, 200]);
});

test.each([0, 1441, 1.5, -1])("%s minutes are refused", async (minutes) => {
  const { net, ana, statuses } = await nodeAndPeer();
  await using _ = net;
  const set = { status: "inactive", duration_minutes: minutes };
  expect(await ana.tool("set_status", set)).toMatchObject({ success: false });
  expect(await statuses()).toEqual([200, 200]);
});
