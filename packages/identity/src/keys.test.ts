import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admittedKey } from "./adapters/keys.ts";
import { createSigner, createVerifier } from "./index.ts";

const SMALL_ORDER = [
  `01${"00".repeat(31)}`,
  "00".repeat(32),
  `ec${"ff".repeat(30)}7f`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  // 1 and 0 again, encoded above the prime.
  `ee${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
];

const signer = createSigner("57192db14102e9c5ea1113d41259228d5416711a36b7136eed8a2fcbe1ea8552");

describe("signer", () => {
  const { derive } = JSON.parse(
    readFileSync(new URL("../../../vectors/mesh/identity.json", import.meta.url), "utf8"),
  ) as { derive: { seed_hex: string; agent_id: string }[] };

  test.each(derive)("the seed's agent is $agent_id", ({ seed_hex, agent_id }) => {
    expect(createSigner(seed_hex).agentId).toBe(agent_id);
    expect(createSigner(Buffer.from(seed_hex, "hex")).agentId).toBe(agent_id);
  });

  test("a seed of another length or alphabet is refused without naming it", () => {
    for (const seed of ["", "ab".repeat(31), "zz".repeat(32), new Uint8Array(33)]) {
      expect(() => createSigner(seed)).toThrow("A private key must be 32 bytes.");
    }
  });

  test("the private key shows in no rendering of the signer", () => {
    expect(JSON.stringify(signer)).toBe(JSON.stringify({ agentId: signer.agentId }));
  });
});

describe.each(["auto", "never", "always"] as const)("verifier (threads: %s)", (threads) => {
  const verifier = createVerifier({ threads });

  test("what was signed verifies, whatever the text; any other text does not", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(text, text, async (signed, other) => {
        const signature = signer.sign(signed);
        expect(await verifier.verify(signer.agentId, signed, signature)).toBe(true);
        expect(await verifier.verify(signer.agentId, other, signature)).toBe(signed === other);
      }),
      { numRuns: 40 },
    );
  });

  test("many at once each get their own answer", async () => {
    const texts = Array.from({ length: 64 }, (_, index) => `message ${index}`);
    const answers = await Promise.all(
      texts.map((text, index) =>
        verifier.verify(signer.agentId, index % 2 ? text : `${text}!`, signer.sign(text)),
      ),
    );
    expect(answers).toEqual(texts.map((_, index) => index % 2 === 1));
  });

  test("keys of small order, under which one signature fits every message, are refused", async () => {
    // R = the identity and S = 0 is such a signature.
    const signature = `01${"00".repeat(63)}`;
    for (const key of SMALL_ORDER) {
      expect(admittedKey(key)).toBeUndefined();
      expect(await verifier.verify(key, "anything", signature)).toBe(false);
    }
  });

  test("malformed keys and signatures are false, never an error", async () => {
    const hexish = fc.oneof(
      fc.string({ maxLength: 140 }),
      fc.stringMatching(/^[0-9a-fA-F]{64}$/),
      fc.stringMatching(/^[0-9a-f]{128}$/),
    );
    await fc.assert(
      fc.asyncProperty(hexish, hexish, async (key, signature) => {
        expect(await verifier.verify(key, "text", signature)).toBe(false);
        expect(await verifier.verify(signer.agentId, "text", signature)).toBe(false);
        expect(await verifier.verify(key, "text", signer.sign("text"))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("hex is taken in either case", async () => {
    const [key, signature] = [signer.agentId.toUpperCase(), signer.sign("x").toUpperCase()];
    expect(await verifier.verify(key, "x", signature)).toBe(true);
  });
});

test("the verifier forgets old keys rather than growing, and still verifies them", async () => {
  const verifier = createVerifier({ cachedKeysMax: 2 });
  const signers = Array.from({ length: 6 }, (_, index) => createSigner(new Uint8Array(32).fill(index + 1)));
  for (const one of [...signers, ...signers])
    expect(await verifier.verify(one.agentId, "x", one.sign("x"))).toBe(true);
});
