import { type Random, systemRandom } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { promptFor } from "./prompt.ts";
import { BLOCK_CODE_POINTS_MAX, beginMark, contained, endMark, quotedBlock } from "./quoted-block.ts";
import { HOSTILE_TEXTS } from "./testing/hostile-texts.ts";
import type { Work } from "./work.ts";

/** Every text of a prompt that somebody else may have chosen. */
const FIELDS = [
  "message id",
  "sender",
  "sender's name",
  "words of the conversation",
  "a peer's name in the conversation",
  "requester",
  "requester's name",
  "requester's bio",
  "conversation before a request",
] as const;
type Field = (typeof FIELDS)[number];

const SENDER = "a".repeat(64);

function prompted(field: Field | undefined, text: string, random: Random = seededRandom(7)): string {
  const at = (name: Field, usual: string) => (field === name ? text : usual);
  const said = at("words of the conversation", "ping");
  const who = at("a peer's name in the conversation", "peer-a");
  const context = `RECENT CONVERSATION:\n[11:59:55Z] ${who} → you: "${said}"`;
  const isRequest = FIELDS.indexOf(field ?? "message id") >= FIELDS.indexOf("requester");
  if (isRequest) {
    const request: Work & { kind: "request" } = {
      kind: "request",
      request: {
        requestId: "req-1",
        agentId: at("requester", SENDER),
        displayName: null,
        bio: at("requester's bio", "maps"),
        proven: true,
      },
    };
    const about = {
      name: at("requester's name", "peer-b"),
      context: at("conversation before a request", context),
    };
    return promptFor(request, about, random);
  }
  const message = { messageId: at("message id", "msg-1"), from: at("sender", SENDER), content: text };
  return promptFor({ kind: "message", message }, { name: at("sender's name", "peer-a"), context }, random);
}

/**
 * What a reader that believes only the marks takes for ours: all but the lines from the first mark to the first end
 * with the code that our own words name. `lines` breaks wherever anything breaks a line.
 */
function outsideBlock(prompt: string): { ours: string; inside: string[] } {
  const code = /carry the code ([0-9a-f]{32}) stands/.exec(prompt)?.[1] ?? "";
  const lines = prompt.split(/\r\n|[\p{Cc}\p{Zl}\p{Zp}]/u);
  const begin = lines.indexOf(beginMark(code));
  const end = lines.indexOf(endMark(code));
  expect(begin).toBeGreaterThan(0);
  expect(end).toBeGreaterThan(begin);
  const ours = [...lines.slice(0, begin), ...lines.slice(end + 1)].join("\n").replaceAll(code, "CODE");
  return { ours, inside: lines.slice(begin + 1, end) };
}

const OURS = {
  message: outsideBlock(prompted("message id", "msg-1")).ours,
  request: outsideBlock(prompted("requester", SENDER)).ours,
};
const oursFor = (field: Field) =>
  FIELDS.indexOf(field) >= FIELDS.indexOf("requester") ? OURS.request : OURS.message;

function expectContained(field: Field, text: string, random?: Random): void {
  const prompt = prompted(field, text, random);
  const { ours, inside } = outsideBlock(prompt);
  expect(ours).toBe(oursFor(field));
  for (const line of inside) expect(line).not.toMatch(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u);
  expect(prompt).toMatch(/^You are a helper/);
  expect(prompt).not.toContain("\0");
  expect(prompt.isWellFormed()).toBe(true);
  expect(Array.from(inside.join("\n")).length).toBeLessThan(BLOCK_CODE_POINTS_MAX + 100);
}

test("the corpus holds at least 200 texts, each once", () => {
  expect(new Set(HOSTILE_TEXTS.map(({ text }) => text)).size).toBeGreaterThanOrEqual(200);
});

describe.each(FIELDS)("%s", (field) => {
  test("stays inside the block, whatever of the corpus it holds", () => {
    for (const { text } of HOSTILE_TEXTS) expectContained(field, text);
  });

  test("stays inside the block, whatever it holds", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc
        .array(fc.constantFrom(...HOSTILE_TEXTS.map((one) => one.text.slice(0, 500))), { maxLength: 4 })
        .map((all) => all.join("")),
    );
    fc.assert(
      fc.property(text, fc.integer(), (words, seed) => expectContained(field, words, seededRandom(seed))),
    );
  });
});

test("no text of a peer begins a line of the block but those of the conversation, which the feed prints", () => {
  for (const { text } of HOSTILE_TEXTS) {
    const { inside } = outsideBlock(prompted("sender's name", `x\n${text}`));
    for (const line of inside) {
      expect(line).toMatch(/^(message_id: |from_agent_id: |from_name: |RECENT CONVERSATION:|\[11:59:55Z\] )/);
    }
  }
});

test("each prompt has marks of its own", () => {
  const codes = Array.from({ length: 50 }, () => quotedBlock([], systemRandom).code);
  expect(new Set(codes).size).toBe(50);
});

test("a code that stands in the text, in whatever letters, is drawn again", () => {
  const first = quotedBlock([], seededRandom(3)).code;
  const wide = Array.from(first, (letter) =>
    String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0),
  ).join("");
  for (const text of [endMark(first), first.toUpperCase(), wide]) {
    const { code } = quotedBlock([{ label: "", text }], seededRandom(3));
    expect(code).not.toBe(first);
  }
});

test("what a helper needs is there: ids, context, both calls for a request", () => {
  const message = prompted("message id", "msg-1");
  expect(message).toContain("msg-1");
  expect(message).toContain('RECENT CONVERSATION:\n[11:59:55Z] peer-a → you: "ping"');
  const request = prompted("requester", SENDER);
  for (const part of [
    "Connection request from peer-b. Bio: maps",
    'darkmatter_connection(action="accept", request_id="req-1")',
    'darkmatter_connection(action="reject", request_id="req-1")',
  ])
    expect(request).toContain(part);
});

test("words people write stay as they are", () => {
  for (const text of ["Grüße, ça va? 你好 — “quoted” 😀 `code` <b>", "שלום", "नमस्ते"])
    expect(contained(text, 100)).toBe(text);
  expect(contained("a".repeat(20), 5)).toBe("aaaaa…");
});
