import { type AgentCard, verifyAgentCardSignature } from "@a2a-js/sdk";
import { fromHex, type JsonObject } from "@darkmatter/core";
import { callHandler } from "@darkmatter/surface/testing";
import { expect, test } from "vitest";
import { memoryNetwork, type TestNode } from "../testing/memory-network.ts";

const CARD = "/.well-known/agent-card.json";

async function cardOf(node: TestNode, host = "agent.example:8100"): Promise<JsonObject> {
  const { json } = await callHandler(node.handler, { method: "GET", path: CARD, headers: { host } });
  return json as JsonObject;
}

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

test("the card tells the address that its reader used, the name and the bio as they are now", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  await ana.tool("update_bio", { bio: "Knows every harbour." });
  const card = await cardOf(ana);
  expect(card).toMatchObject({
    name: "ana",
    description: "Knows every harbour.",
    supportedInterfaces: [
      { url: "http://agent.example:8100/a2a", protocolBinding: "JSONRPC", protocolVersion: "1.0" },
      { url: "http://agent.example:8100/a2a", protocolBinding: "HTTP+JSON", protocolVersion: "1.0" },
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

test("a host that is none is not told back", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  expect(JSON.stringify(await cardOf(net.nodes.ana, 'evil.example/"><script>'))).not.toContain("evil");
});
