import { generateKeyPairSync, sign, verify } from "node:crypto";
import { canon1, exactOf, type Json, readExactJson, sha256Hex } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Checkpoint,
  checkpointText,
  type SignedCheckpoint,
  signedCheckpointOf,
  verifyCheckpoint,
} from "./checkpoint.ts";
import { contradiction } from "./evidence.ts";
import { keyOfPem, spkiPem, witnessId } from "./keys.ts";
import type { VerifySignature } from "./signatures.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();
const KEY = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
const verifySignature: VerifySignature = async (key, text, signature) =>
  key === KEY && verify(null, Buffer.from(text), publicKey, Buffer.from(signature, "hex"));

const envelope: Checkpoint = {
  checkpoint_id: "cp_1795262407000_0a0b0c0d",
  log_position: 6,
  log_root: sha256Hex("log"),
  previous_cp_id: "cp_1795262404000_01020304",
  previous_tree_root: sha256Hex("before"),
  schema_version: "3",
  timestamp: "2026-11-21T12:07:00Z",
  tree_root: sha256Hex("tree"),
  tree_size: 7,
};

function signed(changes: Partial<Checkpoint> = {}): SignedCheckpoint {
  const whole = { ...envelope, ...changes };
  const server_sig = sign(null, Buffer.from(checkpointText(whole)), privateKey).toString("hex");
  return { ...whole, server_sig, position: whole.log_position };
}
const json = (value: object) => value as Json;

describe("a checkpoint", () => {
  test("is signed over the canonical text of its nine members, and nothing else", () => {
    expect(checkpointText(signed())).toBe(canon1(exactOf(json(envelope))));
  });

  test("is read from what travels and from what was read without loss alike", () => {
    const travelling = signed();
    expect(signedCheckpointOf(json(travelling))).toEqual(travelling);
    expect(signedCheckpointOf(readExactJson(JSON.stringify(travelling)))).toEqual(travelling);
  });

  test("has no member more, unless it is said which", () => {
    const more = json({ ...signed(), witness_count: 0 });
    expect(signedCheckpointOf(more)).toBeUndefined();
    expect(signedCheckpointOf(json({ ...signed(), toString: 1 }))).toBeUndefined();
    expect(signedCheckpointOf(more, ["witness_count"])).toEqual(signed());
  });

  test("has every member, in its form", () => {
    const odd: Json[] = [null, "", 0.5, -1, "7", [], {}, true, 2 ** 53, sha256Hex("x").toUpperCase()];
    for (const name of Object.keys(signed())) {
      const { [name]: _, ...less } = signed() as unknown as Record<string, Json>;
      expect(signedCheckpointOf(less), name).toBeUndefined();
      for (const value of odd) {
        const mayBeNull = value === null && name.startsWith("previous_");
        expect(signedCheckpointOf({ ...less, [name]: value }) !== undefined, `${name} ${value}`).toBe(
          mayBeNull,
        );
      }
    }
  });

  test("writes its numbers as integers", () => {
    const text = JSON.stringify(signed());
    for (const size of ["7.0", "7e0", "-7", "70e-1"]) {
      const other = text.replace('"tree_size":7', `"tree_size":${size}`);
      expect(signedCheckpointOf(readExactJson(other)), size).toBeUndefined();
    }
  });

  test("is no value of any other shape", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(signedCheckpointOf(value as Json)).toBeUndefined();
        expect(signedCheckpointOf(exactOf(value as Json))).toBeUndefined();
      }),
    );
  });

  test("verifies under the log's key alone, and with no member altered", async () => {
    expect(await verifyCheckpoint(signed(), KEY, verifySignature)).toBe(true);
    expect(await verifyCheckpoint(signed(), "0".repeat(64), verifySignature)).toBe(false);
    const changes: Partial<SignedCheckpoint>[] = [
      { checkpoint_id: "cp_1_00000000" },
      { log_root: sha256Hex("x") },
      { previous_cp_id: null },
      { previous_tree_root: null },
      { timestamp: "2026-11-21T12:07:01Z" },
      { tree_root: sha256Hex("x") },
      { tree_size: 8, log_position: 7, position: 7 },
      { position: 5 },
    ];
    for (const change of changes) {
      expect(await verifyCheckpoint({ ...signed(), ...change }, KEY, verifySignature)).toBe(false);
    }
  });

  test("whose position is not that of its size does not verify, however it is signed", async () => {
    expect(await verifyCheckpoint(signed({ log_position: 7 }), KEY, verifySignature)).toBe(false);
    expect(await verifyCheckpoint(signed({ log_position: -1, tree_size: 0 }), KEY, verifySignature)).toBe(
      true,
    );
    expect(signedCheckpointOf(json(signed({ log_position: -1, tree_size: 0 })))).toBeUndefined();
  });
});

describe("two checkpoints", () => {
  const first = signed();
  const next = (changes: Partial<Checkpoint> = {}) =>
    signed({
      checkpoint_id: "cp_1795262409000_0a0b0c0d",
      log_position: 8,
      previous_cp_id: first.checkpoint_id,
      previous_tree_root: first.tree_root,
      tree_root: sha256Hex("grown"),
      tree_size: 9,
      ...changes,
    });
  const ofSameSize = (changes: Partial<Checkpoint>) =>
    signed({ checkpoint_id: "cp_1795262409000_0a0b0c0d", ...changes });

  test("of a log that grew can both be true", () => {
    expect(contradiction(first, next())).toBeUndefined();
    expect(contradiction(next(), first)).toBeUndefined();
    expect(contradiction(first, first)).toBeUndefined();
    expect(contradiction(first, ofSameSize({ timestamp: "2026-11-21T12:09:00Z" }))).toBeUndefined();
  });

  test("of one size have the same roots", () => {
    const roots = [{ tree_root: sha256Hex("x") }, { log_root: sha256Hex("x") }];
    for (const root of roots) {
      expect(contradiction(first, ofSameSize(root))).toMatch(/7 commits have different (tree|log) roots/);
      expect(contradiction(ofSameSize(root), first)).toMatch(/7 commits have different (tree|log) roots/);
    }
  });

  test("of one id are the same, whatever their signatures", () => {
    const other = next({ checkpoint_id: first.checkpoint_id });
    expect(contradiction(first, other)).toContain(first.checkpoint_id);
    expect(contradiction(first, { ...first, server_sig: "0".repeat(128) })).toBeUndefined();
  });

  test("of which the second names the first agree on its root and do not shrink", () => {
    expect(contradiction(first, next({ previous_tree_root: sha256Hex("x") }))).toContain("another tree root");
    expect(contradiction(first, next({ previous_tree_root: null }))).toContain("another tree root");
    expect(contradiction(first, next({ tree_size: 6, log_position: 5 }))).toContain(
      "6 commits and that one 7",
    );
    const asLarge = { log_position: 6, log_root: first.log_root, tree_root: first.tree_root, tree_size: 7 };
    expect(contradiction(first, next(asLarge))).toBeUndefined();
    const ofAnother = { previous_cp_id: "cp_1_00000000", previous_tree_root: null, tree_size: 6 };
    expect(contradiction(first, next(ofAnother))).toBeUndefined();
    expect(contradiction(next({ previous_tree_root: null }), first)).toBeUndefined();
  });
});

describe("a key", () => {
  test("goes to PEM and back as OpenSSL writes it", () => {
    expect(spkiPem(KEY)).toBe(PEM);
    expect(keyOfPem(PEM)).toBe(KEY);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = Buffer.from(bytes).toString("hex");
        expect(keyOfPem(spkiPem(key))).toBe(key);
      }),
    );
  });

  test("is read from no other text, not one character apart", () => {
    for (let at = 0; at < PEM.length; at++) {
      const altered = PEM.slice(0, at) + (PEM[at] === "A" ? "B" : "A") + PEM.slice(at + 1);
      expect(keyOfPem(altered)).not.toBe(KEY);
      expect(keyOfPem(PEM.slice(0, at) + PEM.slice(at + 1))).toBeUndefined();
      expect(keyOfPem(`${PEM.slice(0, at)}\n${PEM.slice(at)}`)).toBeUndefined();
    }
  });

  test("of a witness gives its id", () => {
    const der = publicKey.export({ type: "spki", format: "der" });
    expect(witnessId(KEY)).toBe(`wit_${sha256Hex(der).slice(0, 16)}`);
    expect(() => witnessId(KEY.toUpperCase())).toThrow(RangeError);
    expect(() => spkiPem(KEY.slice(2))).toThrow(RangeError);
  });
});
