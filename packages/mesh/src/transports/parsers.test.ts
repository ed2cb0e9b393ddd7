import { DarkMatterError, type Json, type JsonObject } from "@darkmatter/core";
import { createSigner, createVerifier } from "@darkmatter/identity";
import fc from "fast-check";
import { expect, test } from "vitest";
import { answerOf, readRequest, requestText } from "./channel-exchange.ts";
import { isAllowedPath } from "./channel-paths.ts";
import { answerData, offerData, readAnswer, readOffer, requireSigned } from "./descriptions.ts";

const SIGNER = createSigner(new Uint8Array(32).fill(7));
const VERIFIER = createVerifier({ threads: "never" });

const json = fc.jsonValue().map((value) => value as Json);
const NAMES = [
  "from_agent_id",
  "agent_id",
  "sdp_offer",
  "sdp",
  "sdp_answer",
  "sdp_signature_hex",
  "public_key_hex",
];
const body = fc.dictionary(
  fc.constantFrom(...NAMES),
  fc.oneof(json, fc.string()),
) as fc.Arbitrary<JsonObject>;

test("whatever comes as an offer is read, or refused with a status below 500", () => {
  fc.assert(
    fc.property(body, (data) => {
      try {
        const { agentId, sdp } = readOffer(data);
        expect([agentId, sdp]).not.toContain("");
      } catch (error) {
        expect(error).toBeInstanceOf(DarkMatterError);
        expect((error as DarkMatterError).status).toBeLessThan(500);
      }
    }),
  );
});

test("nothing that was not signed by the agent is its answer", async () => {
  await fc.assert(
    fc.asyncProperty(body, async (data) => {
      expect(await readAnswer(VERIFIER, SIGNER.agentId, data, false)).toBeUndefined();
    }),
  );
});

test("our own descriptions are read back, and any change of one is noticed", async () => {
  const sdps = fc.string({ minLength: 1, unit: "binary" }).filter((sdp) => sdp.isWellFormed());
  await fc.assert(
    fc.asyncProperty(sdps, fc.string({ minLength: 1 }), async (sdp, more) => {
      const offer = readOffer(offerData(SIGNER, sdp));
      await requireSigned(VERIFIER, offer);
      await expect(requireSigned(VERIFIER, { ...offer, sdp: sdp + more })).rejects.toMatchObject({
        status: 403,
      });
      const answer = answerData(SIGNER, sdp);
      expect(await readAnswer(VERIFIER, SIGNER.agentId, answer, false)).toEqual({ sdp, proven: true });
      const changed = { ...answer, sdp: sdp + more, sdp_answer: sdp + more };
      expect(await readAnswer(VERIFIER, SIGNER.agentId, changed, true)).toBeUndefined();
    }),
    { numRuns: 30 },
  );
});

test("a request is read back as it was written, and whatever else comes is read or refused", () => {
  const request = fc.record({
    method: fc.constantFrom("GET" as const, "POST" as const),
    path: fc.string({ unit: fc.constantFrom("a", "/", "-", "9") }),
    body: fc.dictionary(fc.string(), fc.string()) as fc.Arbitrary<JsonObject>,
    timeoutMs: fc.constant(1),
  });
  fc.assert(
    fc.property(request, (given) => {
      const { method, path, body } = given;
      expect(readRequest(requestText(given))).toEqual({
        method,
        path: `/__darkmatter__/${path}`,
        query: "",
        body,
      });
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      expect(["undefined", "object"]).toContain(typeof readRequest(text));
      expect(["undefined", "object"]).toContain(typeof answerOf(text));
    }),
  );
});

test.each([
  ["/__darkmatter__/message", true],
  ["/__darkmatter__/webhook/msg-0123456789ab", true],
  ["/.well-known/darkmatter.json", true],
  ["/__darkmatter__/webhook/", false],
  ["/__darkmatter__/webhook/a/b", false],
  ["/__darkmatter__/message?x", false],
  ["/__darkmatter__/message/", false],
  ["/__darkmatter__/message\n", false],
  ["/__darkmatter__/channel", false],
  ["/__darkmatter__/set_impression", false],
  ["//__darkmatter__/message", false],
  ["/mcp", false],
])("over a channel %s is allowed: %s", (path, allowed) => {
  expect(isAllowedPath(path)).toBe(allowed);
});
