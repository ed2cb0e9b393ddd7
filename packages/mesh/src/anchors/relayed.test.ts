import { readFileSync } from "node:fs";
import type { Json, JsonObject } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, openEnvelope } from "@darkmatter/identity";
import { describe, expect, test } from "vitest";
import { pythonJson } from "./python-json.ts";
import { wrapped } from "./relayed.ts";

describe("JSON as Python prints it, sorted", () => {
  test.each<[Json, string]>([
    [{}, "{}"],
    [[], "[]"],
    [null, "null"],
    [{ b: 1, a: [true, false, null] }, '{"a": [true, false, null], "b": 1}'],
    [{ a: { d: 1, c: "x" } }, '{"a": {"c": "x", "d": 1}}'],
    ['a"b\\c/d', '"a\\"b\\\\c/d"'],
    ["\b\f\n\r\t\u0000\u001f\u007f", '"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f"'],
    ["ünïcode ✓", '"\\u00fcn\\u00efcode \\u2713"'],
    ["🚀", '"\\ud83d\\ude80"'],
    [{ é: 1, z: 2, "🚀": 3, "\uffff": 4 }, '{"z": 2, "\\u00e9": 1, "\\uffff": 4, "\\ud83d\\ude80": 3}'],
    [1.5, "1.5"],
    [1e-7, "1e-07"],
    [0.00001, "1e-05"],
    [0.1, "0.1"],
    [-0.25, "-0.25"],
    [10, "10"],
    [1e21, "1000000000000000000000"],
  ])("%j", (value, text) => {
    expect(pythonJson(value)).toBe(text);
  });
});

describe("a request sealed for an agent", () => {
  const path = new URL("../../../../vectors/mesh/outbound.json", import.meta.url);
  const { cases, peers } = JSON.parse(readFileSync(path, "utf8")) as {
    cases: JsonObject[];
    peers: Record<string, { private_key_hex: string; agent_id: string }>;
  };
  const found = cases.find((one) => "relay_plaintext_exact" in one) ?? {};

  test("holds what the first generation seals, to the wrapper's signature", () => {
    const wanted = JSON.parse(String(found.relay_plaintext_exact)) as JsonObject;
    const sender = createSigner(String(((found.setup as JsonObject).node as JsonObject).private_key_hex));
    const recipient = createSigner(Object.values(peers)[0]?.private_key_hex ?? "");
    const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
    const ports = { signer: sender, clock, random: seededRandom(1) };

    const body = wrapped(ports, recipient.agentId, {
      path: "message",
      payload: wanted.payload as JsonObject,
    }) as JsonObject;

    expect(openEnvelope(recipient, body)).toEqual({ from: sender.agentId, plain: wanted });
    expect(body).toMatchObject({
      e2e_encrypted: true,
      from_agent_id: sender.agentId,
      timestamp: wanted.timestamp,
    });
  });
});
