import { type AgentCard, verifyAgentCardSignature } from "@a2a-js/sdk";
import { fromHex, type JsonObject } from "@darkmatter/core";
import { callHandler, type HandlerCall } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";

const CARD = "/.well-known/agent-card.json";

async function cardOf(node: TestNode, from: Partial<HandlerCall> = {}): Promise<JsonObject> {
  const { json } = await callHandler(node.handler, { method: "GET", path: CARD, ...from });
  return json as JsonObject;
}

const addressesOf = (card: JsonObject): string[] =>
  (card.supportedInterfaces as { url: string }[]).map(({ url }) => url);

/** The official helper, with the key that an agent's id is. */
const verifiedBy = (agentId: string) =>
  verifyAgentCardSignature(async (kid) => {
    expect(kid).toBe(agentId);
    const x = Buffer.from(fromHex(agentId) ?? []).toString("base64url");
    return { kty: "OKP", crv: "Ed25519", alg: "EdDSA", x };
  });

test("the card is signed by the passport, as the official helper checks it", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  const card = (await cardOf(ana)) as unknown as AgentCard;
  await verifiedBy(ana.id)(card);
  await expect(verifiedBy(ana.id)({ ...card, name: "Mallory" })).rejects.toThrow("No valid signatures");
  const theirs = (await cardOf(bo)) as unknown as AgentCard;
  await expect(verifiedBy(ana.id)({ ...card, signatures: theirs.signatures })).rejects.toThrow();
});

test("the key in the signature's header is the agent's id", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { signatures } = await cardOf(net.nodes.ana);
  const [{ protected: header }] = signatures as [{ protected: string }];
  const { kid, jwk, alg } = JSON.parse(Buffer.from(header, "base64url").toString());
  expect(alg).toBe("EdDSA");
  expect(kid).toBe(net.nodes.ana.id);
  expect(Buffer.from(jwk.x, "base64url").toString("hex")).toBe(net.nodes.ana.id);
});

test("the card tells the agent's own address, the name and the bio as they are now", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  await ana.tool("update_bio", { bio: "Knows every harbour." });
  const card = await cardOf(ana);
  expect(card).toMatchObject({
    name: "ana",
    description: "Knows every harbour.",
    supportedInterfaces: [
      { url: `${ana.url}/a2a`, protocolBinding: "JSONRPC", protocolVersion: "1.0" },
      { url: `${ana.url}/a2a`, protocolBinding: "HTTP+JSON", protocolVersion: "1.0" },
    ],
    capabilities: { streaming: true, pushNotifications: false },
    securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: "bearer" } } },
  });
  await ana.tool("update_bio", { bio: "Moved inland." });
  const later = await cardOf(ana);
  expect(later).toMatchObject({ description: "Moved inland." });
  await verifiedBy(ana.id)(later as unknown as AgentCard);
  expect(await cardOf(ana)).toEqual(later);
});

test("no header of its reader names the address in the card: the passport would sign where tokens go", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const evil = { host: "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
  for (const remote of ["127.0.0.1", "203.0.113.9", "::1"]) {
    for (const headers of [evil, { ...evil, "x-forwarded-for": "1.2.3.4" }]) {
      const card = await cardOf(ana, { remote, headers });
      expect(addressesOf(card)).toEqual([`${ana.url}/a2a`, `${ana.url}/a2a`]);
      await verifiedBy(ana.id)(card as unknown as AgentCard);
    }
  }
});

test("from afar and through a proxy the card tells the address that the owner gave", async () => {
  const publicUrl = "https://ana.example";
  await using net = await memoryNetwork({ nodes: ["ana"], config: { publicUrl } });
  const { ana } = net.nodes;
  const far = { remote: "203.0.113.9" };
  const proxied = { remote: "127.0.0.1", headers: { host: "127.0.0.1:1", "x-forwarded-for": "1.2.3.4" } };
  for (const from of [far, proxied]) expect(addressesOf(await cardOf(ana, from))[0]).toBe(`${publicUrl}/a2a`);
});
