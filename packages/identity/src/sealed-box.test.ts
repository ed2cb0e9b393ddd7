import { readFileSync } from "node:fs";
import { fromHex, type JsonObject, toHex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  agreementKeyOf,
  boxKey,
  createSigner,
  openBox,
  openEnvelope,
  sealBox,
  sealEnvelope,
} from "./index.ts";

const random = seededRandom(7);
const ana = createSigner(random.bytes(32));
const bo = createSigner(random.bytes(32));
const eve = createSigner(random.bytes(32));

describe("sealed boxes", () => {
  const path = new URL("../../../vectors/mesh/e2e.json", import.meta.url);
  const [vector] = JSON.parse(readFileSync(path, "utf8")).encrypt as [Record<string, string>];

  test("keys and secrets are the reference's", () => {
    const sender = createSigner(vector.sender_private_key_hex ?? "");
    const secret = sender.agree(vector.recipient_public_key_hex ?? "") ?? new Uint8Array();
    expect(toHex(agreementKeyOf(vector.recipient_public_key_hex ?? "") ?? new Uint8Array())).toBe(
      vector.recipient_x25519_public_hex,
    );
    expect(toHex(secret)).toBe(vector.shared_secret_hex);
    expect(toHex(boxKey(secret))).toBe(vector.hkdf_key_hex);
  });

  test("any text is opened by its recipient, and by nobody else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const box = { ...sealBox(ana, bo.agentId, text, random) };
        return openBox(bo, ana.agentId, box) === text && openBox(eve, ana.agentId, box) === undefined;
      }),
      { numRuns: 30 },
    );
  });

  test("whatever is damaged does not open, and nothing throws", () => {
    const box: JsonObject = { ...sealBox(ana, bo.agentId, "hello", random) };
    const damaged: JsonObject[] = [
      { ...box, nonce: "00" },
      { ...box, nonce: 3 },
      { ...box, ciphertext: "zz" },
      { ...box, ciphertext: "" },
      { ...box, ciphertext: "00".repeat(15) },
      { ...box, ciphertext: `00${String(box.ciphertext).slice(2)}` },
      { ...box, sender_public_key_hex: eve.agentId },
      {},
    ];
    for (const one of damaged) expect(openBox(bo, ana.agentId, one)).toBeUndefined();
    for (const one of [null, 3, "x", []]) expect(openBox(bo, ana.agentId, one)).toBeUndefined();
  });

  test("nothing is agreed with a key of small order or of none", () => {
    const noKeys = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      `ec${"ff".repeat(30)}7f`,
      "ff".repeat(32),
      "xyz",
      "",
    ];
    for (const key of noKeys) expect(ana.agree(key)).toBeUndefined();
    expect(() => sealBox(ana, noKeys[0] ?? "", "x", random)).toThrow("Nothing can be sealed");
  });

  test("a small-order point is no key even where OpenSSL would take it", () => {
    expect(agreementKeyOf(`01${"00".repeat(31)}`)).toBeUndefined();
    expect(fromHex(ana.agentId)).toHaveLength(32);
  });
});

describe("envelopes", () => {
  const plain = { path: "/__darkmatter__/message", from_agent_id: ana.agentId };
  const sealed = (from = ana, to = bo.agentId, inner: JsonObject = plain): JsonObject => ({
    ...(sealEnvelope(from, to, inner, random) as unknown as JsonObject),
  });

  test("one is opened with its sender's name", () => {
    expect(openEnvelope(bo, sealed())).toEqual({ from: ana.agentId, plain });
  });

  test("one that is not encrypted is refused", () => {
    expect(openEnvelope(bo, { ...sealed(), e2e_encrypted: false })).toBeUndefined();
    expect(openEnvelope(bo, { payload: plain, from_agent_id: ana.agentId })).toBeUndefined();
  });

  test("one in another's name outside is refused", () => {
    expect(openEnvelope(bo, { ...sealed(), from_agent_id: eve.agentId })).toBeUndefined();
    expect(openEnvelope(bo, sealed(eve))).toBeUndefined();
  });

  test("our own words, sent back to us as another's, are refused", () => {
    // The secret of two agents is the same from both ends, so what we sealed for ana opens here as if ana had.
    const ours = sealed(bo, ana.agentId, { ...plain, from_agent_id: bo.agentId });
    const box = { ...(ours.encrypted_payload as JsonObject), sender_public_key_hex: ana.agentId };
    expect(openBox(bo, ana.agentId, box)).toBeDefined();
    expect(openEnvelope(bo, { ...ours, from_agent_id: ana.agentId, encrypted_payload: box })).toBeUndefined();
  });
});
