import { MINUTE_MS } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";

async function nodeAndPeers(config = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], config: { inboxMax: 10_000, ...config } });
  const { ana } = net.nodes;
  const [bo, cy] = [0, 1].map((at) =>
    stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at }),
  );
  if (!bo || !cy) throw new Error("two strangers");
  await bo.post(ana, "connection_request", bo.request());
  await cy.post(ana, "connection_request", cy.request());
  return { net, ana, bo, cy };
}

/** How many of `tries` messages are taken. */
async function taken(node: TestNode, from: ReturnType<typeof stranger>, tries: number): Promise<number> {
  let count = 0;
  for (let at = 0; at < tries; at++) {
    const { status } = await from.post(node, "message", from.message());
    expect([200, 429]).toContain(status);
    if (status === 200) count++;
  }
  return count;
}

test("each connection has thirty messages a minute, in a window that slides", async () => {
  const { net, ana, bo, cy } = await nodeAndPeers();
  await using _ = net;
  expect(await taken(ana, bo, 20)).toBe(20);
  await net.clock.advance(MINUTE_MS / 2);
  expect(await taken(ana, bo, 20)).toBe(10);
  expect(await taken(ana, cy, 31)).toBe(30);
  await net.clock.advance(MINUTE_MS / 2);
  expect(await taken(ana, bo, 40)).toBe(20);
});

test("messages forged in a peer's name do not use up its share", async () => {
  const { net, ana, bo } = await nodeAndPeers();
  await using _ = net;
  for (let at = 0; at < 40; at++) {
    const forged = await bo.post(ana, "message", bo.message({ signature_hex: "ab".repeat(64) }));
    expect(forged.status).toBe(403);
  }
  expect(await taken(ana, bo, 31)).toBe(30);
});

test("a message that is replayed does not use up its sender's share, before it was answered or after", async () => {
  const { net, ana, bo } = await nodeAndPeers();
  await using _ = net;
  const message = bo.message();
  expect((await bo.post(ana, "message", message)).status).toBe(200);
  for (let at = 0; at < 20; at++) expect((await bo.post(ana, "message", message)).status).toBe(409);
  await ana.tool("respond_message", { message_id: String(message.message_id), response: "yes" });
  for (let at = 0; at < 20; at++) expect((await bo.post(ana, "message", message)).status).toBe(409);
  expect(await taken(ana, bo, 30)).toBe(29);
});

test("the limit over all counts requests, webhooks, questions, updates and messages", async () => {
  const { net, ana, bo } = await nodeAndPeers({ rateGlobal: 7 });
  await using _ = net;
  // The two requests to connect count already.
  const calls = [
    () => bo.post(ana, "connection_request", bo.request()),
    () => bo.post(ana, "webhook/x", {}),
    () => ana.local({ path: `/__darkmatter__/impression/${bo.id}` }),
    () => bo.post(ana, "peer_update", {}),
    () => bo.post(ana, "message", bo.message()),
  ];
  for (const call of calls) expect((await call()).status).not.toBe(429);
  for (const call of calls) expect((await call()).status).toBe(429);
  for (const path of ["status", "network_info", `peer_lookup/${bo.id}`, "webhook/x", "inbox"]) {
    expect((await ana.local({ path: `/__darkmatter__/${path}` })).status).not.toBe(429);
  }
  await net.clock.advance(MINUTE_MS);
  for (const call of calls) expect((await call()).status).not.toBe(429);
});

test("limits are set for one peer, for all peers, and over all; -1 lifts them and 0 restores the default", async () => {
  const { net, ana, bo, cy } = await nodeAndPeers({ rateGlobal: 1000 });
  await using _ = net;
  const set = (input: object) => ana.tool("set_rate_limit", input);
  expect(await set({ agent_id: bo.id, limit: 2 })).toMatchObject({ rate_limit: 2, effective: "2/min" });
  expect(await taken(ana, bo, 5)).toBe(2);
  expect(await set({ agent_id: bo.id, limit: -1 })).toMatchObject({ effective: "unlimited" });
  expect(await taken(ana, bo, 50)).toBe(50);
  expect(await set({ agent_id: cy.id, limit: 0 })).toMatchObject({ effective: "30/min" });
  await ana.local({ method: "POST", path: "/__darkmatter__/config", body: { rate_limit: 3 } });
  expect(await taken(ana, cy, 5)).toBe(3);
  expect(await set({ limit: 1 })).toMatchObject({ scope: "global", effective: "1/min" });
  expect(await taken(ana, bo, 2)).toBe(0);
  expect(await set({ limit: -1 })).toMatchObject({ scope: "global", effective: "unlimited" });
  expect(await taken(ana, bo, 300)).toBe(300);
  expect(await set({ limit: 0 })).toMatchObject({ effective: "1000/min" });
  expect(await set({ agent_id: "ab".repeat(32), limit: 1 })).toMatchObject({ success: false });
  expect(await set({ agent_id: "bo", limit: 1 })).toMatchObject({ success: false });
  expect(await set({ limit: -2 })).toMatchObject({ success: false });
});

test("a limit survives a restart", async () => {
  const { net, ana, bo } = await nodeAndPeers();
  await using _ = net;
  await ana.tool("set_rate_limit", { limit: 1 });
  await ana.mesh.stop();
  await ana.mesh.start();
  expect((await bo.post(ana, "message", bo.message())).status).toBe(429);
});
