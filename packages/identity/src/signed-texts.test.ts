import { readFileSync } from "node:fs";
import { sha256Hex, toHex, utf8 } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  challengeText,
  createSigner,
  createVerifier,
  genomeText,
  lanBeaconText,
  messageDigestText,
  messageText,
  peerUpdateText,
  relayPollText,
  replyText,
  type SignedText,
  sdpText,
  shardDigestText,
  shardText,
  signText,
} from "./index.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../vectors/mesh/${name}.json`, import.meta.url), "utf8"));

interface DomainCase {
  readonly kind: string;
  readonly private_key_hex: string;
  readonly fields: readonly string[];
  readonly signed_bytes_hex: string;
  readonly signature_hex: string;
  readonly tags_input?: readonly string[];
}

const builders: Record<string, (fields: readonly string[], tags: readonly string[]) => SignedText> = {
  peer_update: ([agentId = "", newUrl = "", timestamp = ""]) =>
    peerUpdateText({ agentId, newUrl, timestamp }),
  relay_poll: ([agentId = "", timestamp = ""]) => relayPollText({ agentId, timestamp }),
  sdp: ([agentId = "", sdp = ""]) => sdpText({ agentId, sdp }),
  shard: ([shardId = "", authorId = "", content = ""], tags) =>
    shardText({ shardId, authorId, content, tags }),
  lan_beacon: ([agentId = "", port, sentAt]) =>
    lanBeaconText({ agentId, port: Number(port), sentAt: Number(sentAt) }),
  challenge_response: ([challenge = ""]) => challengeText(challenge),
  genome: ([version = "", bundleHash = ""]) => genomeText({ version, bundleHash }),
};

describe("signed texts", () => {
  const { cases } = read("domain_signatures") as { cases: DomainCase[] };

  test.each(cases)("the reference's $kind is ours ($fields.0)", async (vector) => {
    const text = builders[vector.kind]?.(vector.fields, vector.tags_input ?? []);
    const signer = createSigner(vector.private_key_hex);

    expect(toHex(utf8(text ?? ""))).toBe(vector.signed_bytes_hex);
    expect(signText(signer, text)).toBe(vector.signature_hex);
    expect(await createVerifier().verify(signer.agentId, text ?? "", vector.signature_hex)).toBe(true);
  });

  test.each(read("message_signature").sign as Record<string, string>[])(
    "the reference signs $message_id as we do",
    (vector) => {
      const { from_agent_id: from = "", message_id: messageId = "", timestamp = "", content = "" } = vector;
      const text = messageText({ from, messageId, timestamp, content });

      expect(toHex(utf8(text ?? ""))).toBe(vector.signed_bytes_hex);
      expect(signText(createSigner(vector.private_key_hex ?? ""), text)).toBe(vector.signature_hex);
    },
  );

  const verified = read("message_signature").verify as (Record<string, string> & { valid: boolean })[];
  test.each(verified)("as in the reference: $label", async (vector) => {
    const { from_agent_id: from = "", message_id: messageId = "", timestamp = "", content = "" } = vector;
    const text = messageText({ from, messageId, timestamp, content });
    const { public_key_hex: key = "", signature_hex: signature = "" } = vector;

    expect(text !== undefined && (await createVerifier().verify(key, text, signature))).toBe(vector.valid);
  });

  const field = fc.string({ unit: "binary", maxLength: 12 });

  test("no two different messages share a text", () => {
    const message = fc.record({ from: field, messageId: field, timestamp: field, content: field });
    fc.assert(
      fc.property(message, message, (one, other) => {
        const [first, second] = [messageText(one), messageText(other)];
        return first === undefined || first !== second || JSON.stringify(one) === JSON.stringify(other);
      }),
    );
    expect(messageText({ from: "a\nb", messageId: "c", timestamp: "d", content: "e" })).toBeUndefined();
    expect(messageText({ from: "a", messageId: "b\nc", timestamp: "d", content: "e" })).toBeUndefined();
    expect(messageText({ from: "a", messageId: "b", timestamp: "c\nd", content: "e" })).toBeUndefined();
    expect(messageText({ from: "a", messageId: "b", timestamp: "c", content: "d\ne" })).toBe("a\nb\nc\nd\ne");
  });

  test("a line break is refused in every field that may hold none", () => {
    expect(peerUpdateText({ agentId: "a", newUrl: "http://b\nc", timestamp: "d" })).toBeUndefined();
    expect(peerUpdateText({ agentId: "a", newUrl: "b", timestamp: "c\n" })).toBeUndefined();
    expect(relayPollText({ agentId: "a\n", timestamp: "b" })).toBeUndefined();
    expect(relayPollText({ agentId: "a", timestamp: "\nb" })).toBeUndefined();
    expect(sdpText({ agentId: "a\n", sdp: "v=0" })).toBeUndefined();
    expect(shardText({ shardId: "s", authorId: "a", content: "c", tags: ["x\ny"] })).toBeUndefined();
    expect(shardText({ shardId: "s\n", authorId: "a", content: "c", tags: [] })).toBeUndefined();
    const digest = { shardId: "s", authorId: "a", updatedAt: "t", shard: { b: 1, a: "ü" } };
    const hash = sha256Hex('{"a":"ü","b":1}');
    expect(shardDigestText(digest)).toBe(`darkmatter.shard.v2\ns\na\nt\n${hash}`);
    expect(shardDigestText({ ...digest, updatedAt: "t\n" })).toBeUndefined();
    expect(shardDigestText({ ...digest, shard: { a: "\ud800" } })).toBeUndefined();
    expect(replyText({ agentId: "a", messageId: "m\n", timestamp: "t", response: "r" })).toBeUndefined();
    expect(lanBeaconText({ agentId: "a\n", port: 1, sentAt: 2 })).toBeUndefined();
    expect(challengeText("00\n")).toBeUndefined();
    expect(genomeText({ version: "1\n2", bundleHash: "00" })).toBeUndefined();
    expect(genomeText({ version: "1", bundleHash: "00\n" })).toBeUndefined();
  });

  test("text that UTF-8 cannot carry is refused, for it would be signed as another", () => {
    const base = { from: "a", messageId: "b", timestamp: "c", content: "d" };
    expect(messageText({ ...base, content: "\ud800" })).toBeUndefined();
    const digest = { ...base, to: "e", webhook: "http://f", metadata: {} };
    expect(messageDigestText({ ...digest, content: "\ud800" })).toBeUndefined();
    expect(messageDigestText({ ...digest, metadata: { note: "\ud800" } })).toBeUndefined();
    expect(messageDigestText({ ...digest, metadata: { "\ud800": 1 } })).toBeUndefined();
    expect(messageDigestText({ ...digest, metadata: { n: Number.NaN } })).toBeUndefined();
  });

  test("the digest covers recipient, metadata and webhook, and not the order of keys", () => {
    const message = {
      from: "a",
      messageId: "m",
      timestamp: "t",
      content: "line\nline",
      to: "b",
      webhook: "http://h/w",
      metadata: { type: "note", n: 1 },
    };
    const text = messageDigestText(message);
    const hashes = `${sha256Hex("line\nline")}\n${sha256Hex('{"n":1,"type":"note"}')}`;
    expect(text).toBe(`darkmatter.message.v1\na\nm\nt\nb\n${hashes}\nhttp://h/w`);
    expect(messageDigestText({ ...message, metadata: { n: 1, type: "note" } })).toBe(text);
    for (const change of [{ to: "c" }, { webhook: "http://h/x" }, { content: "line" }, { metadata: {} }]) {
      expect(messageDigestText({ ...message, ...change })).not.toBe(text);
    }
    expect(messageDigestText({ ...message, webhook: "http://h/\nw" })).toBeUndefined();
    expect(messageDigestText({ ...message, to: "b\nc" })).toBeUndefined();
  });

  test("signing a refused text throws and names no field's content", () => {
    const signer = createSigner("11".repeat(32));
    const text = challengeText("secret\nsecret");
    expect(() => signText(signer, text)).toThrow(expect.objectContaining({ code: "SIGNED_FIELD_REFUSED" }));
    expect(() => signText(signer, text)).not.toThrow(/secret/);
  });
});
