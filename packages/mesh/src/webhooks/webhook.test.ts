import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { validateWebhook, type WebhookTrust, webhookReach } from "./webhook.ts";

const STRANGER: WebhookTrust = { fromConnection: false, selfIsLocal: false, origins: new Set() };
const CONNECTED: WebhookTrust = { ...STRANGER, fromConnection: true };
const KNOWN: WebhookTrust = { ...STRANGER, origins: new Set(["http://10.0.0.5:8100"]) };
const LOCAL: WebhookTrust = { ...STRANGER, selfIsLocal: true };

const PATH = "/__darkmatter__/webhook/msg-0123456789ab";

test.each([
  ["https://agent.example", "public"],
  [`https://agent.example${PATH}`, "public"],
  ["https://agent.example/any/path?query=1", "public"],
  [`http://10.0.0.5:8100${PATH}`, undefined],
  [`http://127.0.0.1:8100${PATH}`, undefined],
  [`http://localhost:8100${PATH}`, undefined],
  [`http://[::1]:8100${PATH}`, undefined],
  [`http://[fd00::1]:8100${PATH}`, undefined],
  [`http://[::ffff:10.0.0.5]:8100${PATH}`, undefined],
] as const)("of a stranger, %s reaches %s", (url, reach) => {
  expect(webhookReach(url, STRANGER)).toBe(reach);
});

test.each([
  ["a connected agent", CONNECTED],
  ["a known origin", KNOWN],
  ["callers of this machine alone", LOCAL],
])("for %s a private webhook is called by its exact path, and by no other", (_title, trust) => {
  const at = (path: string) => webhookReach(`http://10.0.0.5:8100${path}`, trust);
  expect(at(PATH)).toBe("private");
  expect(at("/__darkmatter__/webhook_relay/agent/msg-1")).toBe("private");
  expect(at("/__darkmatter__/antimatter_result")).toBe("private");
  for (const path of [
    "/",
    "/admin",
    "/__darkmatter__/webhook/",
    "/__darkmatter__/webhook/a/b",
    "/__darkmatter__/webhook/a%2fb",
    "/__darkmatter__/webhook/../admin",
    "/__darkmatter__/webhook/%2e%2e/admin",
    "/__darkmatter__/webhook/a/../../admin",
    "//__darkmatter__/webhook/a",
    "/x/__darkmatter__/webhook/a",
    "/__darkmatter__/webhook/a.b",
    `/__darkmatter__/webhook/${"a".repeat(129)}`,
    `${PATH}?next=/admin`,
    `${PATH}#fragment`,
    `${PATH};x=1`,
    `${PATH}/`,
    "/__darkmatter__/antimatter_result/x",
  ]) {
    expect(at(path), path).toBeUndefined();
  }
});

test("an origin is known by scheme, host and port together", () => {
  expect(webhookReach(`http://10.0.0.5:8101${PATH}`, KNOWN)).toBeUndefined();
  expect(webhookReach(`https://10.0.0.5:8100${PATH}`, KNOWN)).toBeUndefined();
  expect(webhookReach(`http://10.0.0.6:8100${PATH}`, KNOWN)).toBeUndefined();
});

test.each([
  `http://169.254.169.254${PATH}`,
  "http://169.254.169.254/latest/meta-data",
  `http://[::ffff:169.254.169.254]${PATH}`,
  `http://[fe80::1]${PATH}`,
  `http://0.0.0.0:8100${PATH}`,
  `http://[::]:8100${PATH}`,
  `http://224.0.0.1${PATH}`,
  `http://255.255.255.255${PATH}`,
  `http://2852039166${PATH}`,
  `http://0xa9.0xfe.0xa9.0xfe${PATH}`,
  `http://user@agent.example${PATH}`,
  `http://user:secret@10.0.0.5${PATH}`,
  `ftp://agent.example${PATH}`,
  "javascript:alert(1)",
  "http://",
  "",
  `http:\\\\10.0.0.5${PATH}`,
])("%s is never called, whoever sent it", (url) => {
  for (const trust of [STRANGER, CONNECTED, KNOWN, LOCAL]) expect(webhookReach(url, trust)).toBeUndefined();
  expect(validateWebhook(url)).toEqual(expect.any(String));
});

/** A node at a public address that took a message of a stranger with this webhook, and answers it. */
async function answered(webhook: string, names: Record<string, string> = {}) {
  const net = await memoryNetwork({ nodes: ["ana"], apart: "public" });
  const { ana } = net.nodes;
  const inside = stranger(net.clock, net.internet.host({ address: "10.0.0.5" }), { port: 80 });
  const outside = stranger(net.clock, net.internet.host({ address: "5.6.7.99" }), { port: 80, seed: 201 });
  for (const [name, address] of Object.entries(names)) net.internet.name(name, [address]);
  const message = outside.message({ webhook });
  const taken = await outside.post(ana, "message", message, "5.6.7.99");
  await net.settle();
  const reply = { message_id: message.message_id, response: "!" };
  const result = taken.status === 200 ? await ana.tool("respond_message", reply) : undefined;
  return { net, taken, result, inside, outside };
}

test("a stranger's webhook at a private address is never called", async () => {
  const { net, result, inside } = await answered(`http://10.0.0.5${PATH}`);
  await using _ = net;
  expect(result).toMatchObject({ success: false });
  expect(inside.heard).toEqual([]);
});

test("a stranger's webhook at a name that resolves to a private address is never called", async () => {
  const { net, taken, result, inside } = await answered(`http://innocent.example${PATH}`, {
    "innocent.example": "10.0.0.5",
  });
  await using _ = net;
  expect(taken.status).toBe(200);
  expect(result).toMatchObject({ success: false });
  expect(inside.heard).toEqual([]);
});

test("a stranger's webhook at a public address is called, and no redirect of it is followed", async () => {
  const { net, result, outside } = await answered(`http://fair.example${PATH}`, {
    "fair.example": "5.6.7.99",
  });
  await using _ = net;
  expect(result).toMatchObject({ success: true });
  expect(outside.heard.map(({ body }) => body.type)).toEqual([
    "received",
    undefined,
    "responding",
    "response",
  ]);
});
