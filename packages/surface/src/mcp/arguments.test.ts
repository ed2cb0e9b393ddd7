import { JSON_DEPTH_MAX } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { type Tool, tool } from "../tool.ts";
import { parseArguments } from "./arguments.ts";

function taking(shape: z.ZodRawShape): Tool {
  return tool({
    name: "t",
    title: "",
    description: "",
    input: z.object(shape),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    visible: () => true,
    handle: async () => ({}),
  });
}

const sample = taking({
  to: z.string().min(1).max(10),
  action: z.enum(["accept", "reject"]).optional(),
  hops: z.int().min(1).max(50).default(10),
  extra: z.record(z.string(), z.unknown()).optional(),
});

const input = (given: unknown) => {
  const parsed = parseArguments(sample, given);
  return parsed.kind === "valid" ? parsed.input : parsed.error;
};

test("flat and wrapped parameters are the same", () => {
  expect(input({ to: "ana" })).toEqual({ to: "ana", hops: 10 });
  expect(input({ params: { to: "ana" } })).toEqual({ to: "ana", hops: 10 });
  expect(parseArguments(taking({}), undefined)).toEqual({ kind: "valid", input: {} });
  expect(
    parseArguments(taking({ params: z.object({ a: z.string() }) }), { params: { a: "b" } }),
  ).toMatchObject({
    input: { params: { a: "b" } },
  });
});

test("texts are trimmed at every depth before they are checked", () => {
  expect(input({ to: "   0123456789\n", extra: { a: [" b "] } })).toMatchObject({
    to: "0123456789",
    extra: { a: ["b"] },
  });
  expect(input({ to: "   " })).toContain("to:");
});

test.each([
  [{}, "to: required (string)"],
  [{ to: 7 }, "to: Invalid input: expected string, received number"],
  [{ to: "ana", action: "burn" }, 'action: Invalid option: expected one of "accept"|"reject"'],
  [{ to: "ana", hops: 51 }, "hops: Too big: expected number to be <=50"],
  [{ to: "ana", fro: 1, "x y": 2 }, 'unknown parameter "fro", "x y"; allowed: to, action, hops, extra'],
  [{ params: { fro: 1 } }, "to: required (string)"],
  [{ params: [] }, "to: required (string)"],
  [[], "the parameters: Invalid input: expected object, received array"],
])("%j is refused by name: %s", (given, error) => {
  expect(input(given)).toContain(error);
});

test("a tool without parameters says that it takes none", () => {
  expect(parseArguments(taking({}), { a: 1 })).toEqual({
    kind: "invalid",
    error: 'unknown parameter "a"; allowed: none',
  });
});

test("an error stays short whatever was given", () => {
  const keys = Array.from({ length: 500 }, (_, at) => `${at}`.padStart(5000, "k"));
  expect(
    String(input({ to: "ana", ...Object.fromEntries(keys.map((key) => [key, 1])) })).length,
  ).toBeLessThan(1000);
});

test("nesting beyond the limit is refused, however far beyond", () => {
  for (const depth of [JSON_DEPTH_MAX, 100_000]) {
    let deep: unknown = "x";
    for (let level = 0; level < depth; level++) deep = { a: deep };
    expect(input({ to: "ana", extra: deep })).toContain("nest deeper");
  }
});

test("no JSON makes it throw, and what is valid has only known keys", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (given) => {
      const parsed = parseArguments(sample, given);
      if (parsed.kind === "invalid") expect(parsed.error).not.toBe("");
      else
        for (const key of Object.keys(parsed.input)) expect(["to", "action", "hops", "extra"]).toContain(key);
    }),
  );
});
