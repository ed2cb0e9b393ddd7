import type { JsonObject } from "@darkmatter/core";
import { expect, test } from "vitest";
import { memoryNetwork, stranger, type TestNode } from "../testing.ts";

const LAN = "192.168.7.200";

const connectionsOf = async (node: TestNode) =>
  (await node.tool("list_connections")).connections as JsonObject[];

test("an acceptance is believed only from the agent that was asked (S6)", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const eve = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  const acceptance = (of: typeof bo, url: string) => ({
    agent_id: of.id,
    agent_url: url,
    agent_public_key_hex: of.id,
  });
  const accept = (of: typeof bo, url = of.url) =>
    of.post(ana, "connection_accepted", acceptance(of, url)).then(({ status }) => status);
  expect(await accept(eve)).toBe(403);
  bo.answers(({ path }) =>
    path.endsWith("connection_request") ? [200, { auto_accepted: false, agent_id: bo.id }] : undefined,
  );
  const asked = await ana.tool("connection", { action: "request", target_url: bo.url });
  expect(asked).toMatchObject({ status: "pending" });
  // Eve knows whom we asked and where, but her key is her own.
  expect(await accept(eve)).toBe(403);
  expect(await accept(eve, bo.url)).toBe(403);
  expect(await accept(bo)).toBe(200);
  expect(await accept(bo)).toBe(403);
  expect(await connectionsOf(ana)).toMatchObject([{ agent_id: bo.id, agent_url: bo.url }]);
});

test("an acceptance cannot put another address in the place of the one we asked", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const eve = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  bo.answers(({ path }) =>
    path.endsWith("connection_request") ? [200, { auto_accepted: false, agent_id: bo.id }] : undefined,
  );
  await ana.tool("connection", { action: "request", target_url: bo.url });
  const forged = { agent_id: bo.id, agent_url: eve.url, agent_public_key_hex: bo.id };
  expect((await eve.post(ana, "connection_accepted", forged)).status).toBe(200);
  expect(await connectionsOf(ana)).toMatchObject([{ agent_id: bo.id, agent_url: bo.url }]);
});

test("when the asked agent named no id, the document at its address decides", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const eve = stranger(net.clock, net.hosts.ana, { port: 9001, seed: 201 });
  bo.answers(({ path }) => {
    if (path.endsWith("connection_request")) return [200, { auto_accepted: false }];
    return path.endsWith("darkmatter.json") ? [200, { agent_id: bo.id }] : undefined;
  });
  await ana.tool("connection", { action: "request", target_url: bo.url });
  const forged = { agent_id: eve.id, agent_url: bo.url };
  expect((await eve.post(ana, "connection_accepted", forged)).status).toBe(403);
  const real = { agent_id: bo.id, agent_url: bo.url };
  expect((await bo.post(ana, "connection_accepted", real)).status).toBe(200);
});

test("an unsigned repeated request replaces neither address nor name of a connection (S7)", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const forged = bo.request({
    from_agent_url: "http://127.0.0.1:6666",
    from_agent_display_name: "eve",
    wallets: { solana: "w" },
  });
  expect((await bo.post(ana, "connection_request", forged)).json).toMatchObject({ auto_accepted: true });
  expect(await connectionsOf(ana)).toMatchObject([{ agent_url: bo.url, display_name: "stranger" }]);
});

test("a signed update moves a peer; stale, forged and foreign ones do not", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  const update = (fields: JsonObject = {}, newUrl = "https://new.example") => {
    const timestamp = new Date(net.clock.now()).toISOString();
    const signature = bo.signer.sign(`peer_update\n${bo.id}\n${newUrl}\n${timestamp}`);
    const body = { agent_id: bo.id, new_url: newUrl, timestamp, public_key_hex: bo.id, signature, ...fields };
    return bo.post(ana, "peer_update", body, LAN).then(({ status }) => status);
  };
  expect(await update()).toBe(404);
  await bo.post(ana, "connection_request", bo.request());
  expect(await update({ signature: null })).toBe(403);
  expect(await update({ signature: "00".repeat(64) })).toBe(403);
  expect(await update({ public_key_hex: ana.id })).toBe(403);
  expect(await update({ timestamp: "2026-03-05T11:00:00Z" })).toBe(403);
  expect(await update({ new_url: "https://eve.example" })).toBe(403);
  expect(await update({}, "http://127.0.0.1:9000")).toBe(400);
  expect(await update({}, "http://10.0.0.1/admin?x=")).toBe(400);
  expect(await update({ new_url: "nonsense" })).toBe(400);
  expect(await connectionsOf(ana)).toMatchObject([{ agent_url: bo.url }]);
  expect(await update({ bio: "b".repeat(1001), display_name: "new name" })).toBe(200);
  expect(await connectionsOf(ana)).toMatchObject([
    { agent_url: "https://new.example", display_name: "new name", identity_verified: true },
  ]);
  const found = await ana.local({ path: `/__darkmatter__/peer_lookup/${bo.id}` });
  expect(found.json).toMatchObject({
    url: "https://new.example",
    addresses: { http: "https://new.example" },
    status: "connected",
  });
});

test("a new bio is told to every peer, by the tool and by the local route", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await ana.tool("update_bio", { bio: "knows chess" });
  await net.settle();
  expect(await connectionsOf(bo)).toMatchObject([{ bio_summary: "knows chess" }]);
  await ana.local({ method: "POST", path: "/__darkmatter__/update_bio", body: { bio: "knows go" } });
  await net.settle();
  expect(await connectionsOf(bo)).toMatchObject([{ bio_summary: "knows go" }]);
});
