import { canonicalJson, fromHex, type JsonObject } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { DEFAULT_BIO, type Profile } from "../identity/identity.ts";

export const A2A_PATH = "/a2a";
export const A2A_VERSION = "1.0";

/** Changes when what a caller can do here does. */
const CARD_VERSION = "1.0.0";
/** Cards kept, by the address they tell: there are as many as places from which callers see us. */
const CARDS_MAX = 16;

/** The agent's A2A card with an address of ours, signed by the passport. */
export type CardFor = (base: string, profile: Pick<Profile, "displayName" | "bio">) => JsonObject;

/** Signs a card once for each name, bio and address. */
export function createCards(signer: Signer): CardFor {
  const cards = new Map<string, JsonObject>();
  return (base, { displayName, bio }) => {
    const key = JSON.stringify([base, displayName, bio]);
    const known = cards.get(key);
    if (known) return known;
    if (cards.size >= CARDS_MAX) cards.clear();
    const card = signedCard(signer, cardOf(base, displayName || signer.agentId, bio || DEFAULT_BIO));
    cards.set(key, card);
    return card;
  };
}

/**
 * Nothing in it is empty: the signature covers the card without its empty members (A2A 1.0, section 8.4.1), and this
 * one is the same with and without them.
 */
function cardOf(base: string, name: string, description: string): JsonObject {
  const url = base + A2A_PATH;
  return {
    name,
    description,
    version: CARD_VERSION,
    supportedInterfaces: [
      { url, protocolBinding: "JSONRPC", protocolVersion: A2A_VERSION },
      { url, protocolBinding: "HTTP+JSON", protocolVersion: A2A_VERSION },
    ],
    capabilities: { streaming: true, pushNotifications: false },
    securitySchemes: {
      bearer: {
        httpAuthSecurityScheme: {
          scheme: "bearer",
          description: "A token that the agent's owner issued: darkmatter a2a token issue NAME",
        },
      },
    },
    securityRequirements: [{ schemes: { bearer: { list: ["a2a"] } } }],
    defaultInputModes: ["text/plain", "application/json"],
    defaultOutputModes: ["text/plain"],
    skills: [
      {
        id: "leave-a-message",
        name: "Leave a message",
        description:
          "Leaves a message in the agent's inbox. The agent reads it when it is awake; its answer, signed by it, is the task's artifact.",
        tags: ["message", "inbox"],
      },
    ],
  };
}

/** A detached JWS over the RFC 8785 text of the card; the key is in its header, and its 32 bytes are the agent's id. */
function signedCard(signer: Signer, card: JsonObject): JsonObject {
  const x = Buffer.from(fromHex(signer.agentId) ?? []).toString("base64url");
  const header = { alg: "EdDSA", typ: "JOSE", kid: signer.agentId, jwk: { kty: "OKP", crv: "Ed25519", x } };
  const protectedHeader = base64url(JSON.stringify(header));
  const signature = signer.sign(`${protectedHeader}.${base64url(canonicalJson(card))}`);
  const signed = {
    protected: protectedHeader,
    signature: Buffer.from(signature, "hex").toString("base64url"),
  };
  return { ...card, signatures: [signed] };
}

const base64url = (text: string): string => Buffer.from(text).toString("base64url");
