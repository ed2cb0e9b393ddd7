import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { type ExactJson, type ExactObject, exactOf, type Json, readExactObject } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AttestedCommit, attestationText, attestedHash, verifyAttestation } from "./attestation.ts";
import { base64UrlBytes } from "./base64.ts";
import type { VerifySignature } from "./signatures.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const KEY = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
const verifySignature: VerifySignature = async (key, text, signature) =>
  key === KEY.toString("hex") && verify(null, Buffer.from(text), publicKey, Buffer.from(signature, "hex"));

const commit: AttestedCommit = {
  agentId: "dm_1",
  parentId: "ctx_1_aabbccddeeff",
  completenessClaim: null,
  payload: readExactObject('{"n":1e-7,"input":"é"}'),
  metadata: readExactObject('{"temperature":0.2}'),
};

function attested(facts: AttestedCommit = commit, claim?: boolean): Map<string, ExactJson> {
  const envelope = {
    agent_id: facts.agentId,
    client_timestamp: "2026-05-01T10:00:00.000Z",
    completeness_claim: claim,
    key_id: "key-0",
    metadata_hash: facts.metadata ? attestedHash(facts.metadata) : null,
    parent_id: facts.parentId,
    payload_hash: attestedHash(facts.payload ?? null),
  };
  const text = attestationText(envelope);
  const { completeness_claim: _, ...stated } = envelope;
  return new Map<string, ExactJson>([
    ...Object.entries({ ...stated, ...(claim === undefined ? {} : { completeness_claim: claim }) }),
    ["version", "dm-envelope-v1"],
    ["algorithm", "Ed25519"],
    ["public_key", KEY.toString("base64url")],
    ["envelope_hash", `sha256:${createHash("sha256").update(text).digest("hex")}`],
    ["signature", sign(null, Buffer.from(text), privateKey).toString("base64url")],
  ]);
}
const check = (attestation: ExactObject, facts: AttestedCommit = commit) =>
  verifyAttestation(attestation, facts, verifySignature);

describe("an attestation", () => {
  test("is signed over sorted members, a claim only when it is made", () => {
    const envelope = {
      agent_id: "a",
      client_timestamp: "t",
      key_id: "k",
      metadata_hash: null,
      parent_id: null,
      payload_hash: "p",
    };
    const text = (claim: string) =>
      `{"agent_id":"a","algorithm":"Ed25519","client_timestamp":"t",${claim}"key_id":"k","metadata_hash":null,"parent_id":null,"payload_hash":"p","version":"dm-envelope-v1"}`;
    expect(attestationText(envelope)).toBe(text(""));
    expect(attestationText({ ...envelope, completeness_claim: false })).toBe(
      text('"completeness_claim":false,'),
    );
  });

  test("holds for its commit, with and without a claim, metadata and a parent", async () => {
    for (const claim of [undefined, true, false]) {
      const claiming = { ...commit, completenessClaim: claim ?? null };
      expect(await check(attested(commit, claim), claiming)).toBeUndefined();
    }
    const bare = { ...commit, metadata: undefined, parentId: null };
    expect(await check(attested(bare), bare)).toBeUndefined();
    expect(await check(attested({ ...bare, metadata: new Map() }), bare)).toBeUndefined();
    expect(await check(attested(), { ...commit, payload: undefined })).toBeUndefined();
  });

  test.each<[string, string, Json | undefined]>([
    ["unsupported_algorithm", "algorithm", "Ed448"],
    ["unsupported_algorithm", "algorithm", undefined],
    ["unsupported_algorithm", "version", "dm-envelope-v2"],
    ["missing_public_key", "public_key", undefined],
    ["invalid_public_key", "public_key", KEY.toString("hex")],
    ["invalid_public_key", "public_key", `${KEY.toString("base64url")}=`],
    ["invalid_public_key", "public_key", Buffer.alloc(32).fill(1, 0, 1).toString("base64url")],
    ["invalid_public_key", "public_key", null],
    ["invalid_signature_format", "signature", "AAAA"],
    ["invalid_signature_format", "signature", undefined],
    ["invalid_signature", "signature", Buffer.alloc(64).toString("base64url")],
    ["payload_hash_mismatch", "payload_hash", `sha256:${"0".repeat(64)}`],
    ["payload_hash_mismatch", "payload_hash", undefined],
    ["metadata_hash_mismatch", "metadata_hash", `sha256:${"0".repeat(64)}`],
    ["metadata_hash_mismatch", "metadata_hash", undefined],
    ["envelope_hash_mismatch", "envelope_hash", `sha256:${"0".repeat(64)}`],
    ["envelope_hash_mismatch", "client_timestamp", "2026-05-01T10:00:00Z"],
    ["envelope_hash_mismatch", "client_timestamp", 5],
    ["envelope_hash_mismatch", "key_id", "key-1"],
    ["envelope_hash_mismatch", "key_id", undefined],
    ["envelope_hash_mismatch", "agent_id", "dm_2"],
    ["envelope_hash_mismatch", "parent_id", null],
    ["envelope_hash_mismatch", "completeness_claim", true],
    ["envelope_hash_mismatch", "completeness_claim", "yes"],
    ["metadata_hash_mismatch", "metadata_hash", null],
    ["envelope_hash_mismatch", "agent_id", undefined],
    ["envelope_hash_mismatch", "parent_id", undefined],
  ])("fails as %s when its %s is %j", async (reason, name, value) => {
    const altered = attested();
    if (value === undefined) altered.delete(name);
    else altered.set(name, exactOf(value));
    expect(await check(altered)).toBe(reason);
  });

  test("is of one commit alone", async () => {
    expect(await check(attested(), { ...commit, agentId: "dm_2" })).toBe("envelope_hash_mismatch");
    expect(await check(attested(), { ...commit, parentId: null })).toBe("envelope_hash_mismatch");
    const payload = readExactObject('{"n":1.0e-7,"input":"e"}');
    expect(await check(attested(), { ...commit, payload })).toBe("payload_hash_mismatch");
    expect(await check(attested(), { ...commit, metadata: undefined })).toBe("metadata_hash_mismatch");
  });

  test("that claims neither yes nor no fails, even when that is what was signed", async () => {
    expect(await check(attested(commit, "yes" as never))).toBe("envelope_hash_mismatch");
  });

  test("that claims what its commit does not, or does not claim what it does, fails", async () => {
    expect(await check(attested(commit, true))).toBe("envelope_hash_mismatch");
    expect(await check(attested(), { ...commit, completenessClaim: true })).toBe("envelope_hash_mismatch");
    expect(await check(attested({ ...commit, metadata: undefined }))).toBe("metadata_hash_mismatch");
  });

  test("that states other facts than it signed fails, and so does one signed for others", async () => {
    const stating = attested();
    stating.set("agent_id", "dm_2");
    expect(await check(stating)).toBe("envelope_hash_mismatch");
    const signedForOther = attested({ ...commit, agentId: "dm_2" });
    signedForOther.set("agent_id", "dm_1");
    expect(await check(signedForOther)).toBe("envelope_hash_mismatch");
  });
});

test("base64url is read in one spelling only", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const text = Buffer.from(bytes).toString("base64url");
      expect(base64UrlBytes(text, 32)).toEqual(bytes);
      expect(base64UrlBytes(`${text}=`, 32)).toBeUndefined();
      expect(base64UrlBytes(text.slice(1), 32)).toBeUndefined();
      const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(
        text.at(-1) ?? "",
      );
      const loose = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last + 1] ?? "";
      expect(base64UrlBytes(text.slice(0, -1) + loose, 32)).toBeUndefined();
    }),
  );
  for (const value of [undefined, null, 5, "", "é".repeat(43), "+".repeat(43), "A A".repeat(14)]) {
    expect(base64UrlBytes(value, 32)).toBeUndefined();
  }
});
