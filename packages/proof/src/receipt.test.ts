import { generateKeyPairSync, sign, verify } from "node:crypto";
import { exactOf, type Json, sha256Hex } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SignedMessage, signedMessageText } from "./message-signatures.ts";
import {
  RUNGS,
  receiptOf,
  receiptText,
  type TakenReceipt,
  takenReceiptOf,
  verifyReceipt,
} from "./receipt.ts";
import type { VerifySignature } from "./signatures.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const BO = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
const ANA = sha256Hex("ana");
const verifySignature: VerifySignature = async (key, text, signature) =>
  key === BO && verify(null, Buffer.from(text), publicKey, Buffer.from(signature, "hex"));

const unsigned = {
  agent_id: BO,
  message_id: "msg-0123456789ab",
  rung: "stored",
  at: "2026-11-21T12:00:00+00:00",
  commit: sha256Hex("commit"),
  detail: null,
  from_agent_id: ANA,
  content_hash: sha256Hex("hello"),
} satisfies Omit<TakenReceipt, "sig">;

function receipt(changes: Partial<Omit<TakenReceipt, "sig">> = {}): TakenReceipt {
  const whole = { ...unsigned, ...changes };
  const text = receiptText(whole) ?? "";
  return { ...whole, sig: sign(null, Buffer.from(text), privateKey).toString("hex") };
}
const json = (value: object) => value as Json;

describe("a receipt", () => {
  test("is signed line by line, `-` for what there is none of", () => {
    const lines = [
      "darkmatter.receipt.v1",
      BO,
      "msg-0123456789ab",
      ANA,
      sha256Hex("hello"),
      "stored",
      unsigned.at,
    ];
    expect(receiptText(unsigned)).toBe([...lines, unsigned.commit, "-"].join("\n"));
    const detailed = { ...unsigned, commit: null, detail: "a\nb" };
    expect(receiptText(detailed)).toBe([...lines, "-", sha256Hex("a\nb")].join("\n"));
    expect(receiptText({ ...unsigned, detail: "" })).toBe(
      [...lines, unsigned.commit, sha256Hex("")].join("\n"),
    );
  });

  test("has no text when a line would hold an LF, or a text half a character", () => {
    for (const name of Object.keys(unsigned) as (keyof typeof unsigned)[]) {
      if (name !== "detail") expect(receiptText({ ...unsigned, [name]: "a\nb" }), name).toBeUndefined();
      expect(receiptText({ ...unsigned, [name]: "a\ud800" }), name).toBeUndefined();
    }
    expect(receiptText({ ...unsigned, commit: "-" })).toBeUndefined();
  });

  test("of two different receipts never has the same text", () => {
    const odd = fc.string({ unit: fc.constantFrom("a", "-", "\n"), maxLength: 3 });
    const any = fc.record({
      message_id: odd,
      at: odd,
      commit: fc.option(odd),
      detail: fc.option(odd),
      from_agent_id: odd,
    });
    fc.assert(
      fc.property(any, any, (one, other) => {
        const [first, second] = [
          receiptText({ ...unsigned, ...one }),
          receiptText({ ...unsigned, ...other }),
        ];
        if (first !== undefined && first === second) expect(one).toEqual(other);
      }),
      { numRuns: 5000 },
    );
  });

  test("verifies for each rung, and with nothing altered", async () => {
    for (const rung of RUNGS) expect(await verifyReceipt(receipt({ rung }), verifySignature)).toBe(true);
    const good = receipt({ detail: "claude" });
    const changes: Partial<TakenReceipt>[] = [
      { agent_id: ANA },
      { message_id: "msg-1" },
      { rung: "read" },
      { at: "2026-11-21T12:00:01+00:00" },
      { commit: null },
      { detail: null },
      { detail: "claude\n" },
      { from_agent_id: BO },
      { content_hash: sha256Hex("hello ") },
    ];
    for (const change of changes) {
      expect(await verifyReceipt({ ...good, ...change }, verifySignature), JSON.stringify(change)).toBe(
        false,
      );
    }
  });

  test("without a signed text is refused before any signature is looked at", async () => {
    const always: VerifySignature = async () => true;
    expect(await verifyReceipt({ ...receipt(), message_id: "a\nb" }, always)).toBe(false);
  });

  test("as taken has exactly nine members; on the wire others are left out", () => {
    const taken = receipt();
    expect(takenReceiptOf(json(taken))).toEqual(taken);
    expect(takenReceiptOf(exactOf(json(taken)))).toEqual(taken);
    expect(takenReceiptOf(json({ ...taken, note: "x" }))).toBeUndefined();
    const { from_agent_id: _, content_hash: __, ...wire } = taken;
    expect(takenReceiptOf(json(wire))).toBeUndefined();
    expect(receiptOf(json({ ...wire, note: "x" }))).toEqual(wire);
    for (const name of Object.keys(wire)) {
      const { [name]: ___, ...less } = wire as unknown as Record<string, Json>;
      expect(receiptOf(less), name).toBeUndefined();
    }
  });

  test.each<[string, Json]>([
    ["agent_id", "bo"],
    ["message_id", ""],
    ["message_id", "a\nb"],
    ["message_id", "m".repeat(129)],
    ["rung", "queued"],
    ["rung", "sent"],
    ["rung", "toString"],
    ["at", "2026-11-21T12:00:00"],
    ["at", "2026-02-30T12:00:00Z"],
    ["at", "2026-11-21T12:00:00Z\n"],
    ["commit", "-"],
    ["commit", `sha256:${sha256Hex("x")}`],
    ["detail", "x".repeat(1001)],
    ["detail", 5],
    ["sig", "00"],
  ])("has no %s like %j", (name, value) => {
    expect(receiptOf(json({ ...receipt(), [name]: value }))).toBeUndefined();
  });

  test("counts its limits in code points", () => {
    expect(receiptOf(json(receipt({ detail: "😀".repeat(1000) })))).toBeDefined();
    expect(receiptOf(json(receipt({ detail: "😀".repeat(1001) })))).toBeUndefined();
    expect(receiptOf(json(receipt({ message_id: "😀".repeat(128) })))).toBeDefined();
  });
});

describe("what a sender signed", () => {
  const signed: Omit<SignedMessage, "signature"> = {
    scheme: "dm_sig",
    from: ANA,
    to: BO,
    timestamp: "2026-11-21T12:00:00+00:00",
    webhook: "",
    content_hash: sha256Hex("hello"),
    metadata_hash: sha256Hex("{}"),
  };

  test("under dm_sig needs hashes only", () => {
    const text = signedMessageText(signed, "msg-1", undefined);
    const hashes = `${sha256Hex("hello")}\n${sha256Hex("{}")}`;
    expect(text).toBe(`darkmatter.message.v1\n${ANA}\nmsg-1\n${signed.timestamp}\n${BO}\n${hashes}\n`);
    for (const name of ["to", "webhook", "metadata_hash"]) {
      expect(signedMessageText({ ...signed, [name]: null }, "msg-1", undefined)).toBeUndefined();
    }
    for (const name of ["from", "to", "timestamp", "webhook", "content_hash", "metadata_hash"]) {
      expect(signedMessageText({ ...signed, [name]: "a\nb" }, "msg-1", undefined)).toBeUndefined();
    }
    expect(signedMessageText(signed, "a\nb", undefined)).toBeUndefined();
  });

  test.each(["signature_hex", "reply"] as const)(
    "under %s needs the words, which may hold an LF",
    (scheme) => {
      const old = { ...signed, scheme, to: null, webhook: null, metadata_hash: null };
      expect(signedMessageText(old, "msg-1", "a\nb")).toBe(`${ANA}\nmsg-1\n${signed.timestamp}\na\nb`);
      expect(signedMessageText(old, "msg-1", undefined)).toBeUndefined();
      expect(signedMessageText(old, "msg\n1", "a")).toBeUndefined();
      expect(signedMessageText(old, "msg-1", "\udc00")).toBeUndefined();
    },
  );
});
