import { expect, test } from "vitest";
import { z } from "zod";
import { tool } from "../tool.ts";
import { inputSchemaOf } from "./input-schema.ts";

const schemaOf = (input: z.ZodObject) =>
  inputSchemaOf(
    tool({
      name: "t",
      title: "",
      description: "",
      input,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      visible: () => true,
      handle: async () => ({}),
    }),
  );

test("a schema says what an agent needs and no more", () => {
  const input = z.strictObject({
    to: z.string().max(64).describe("the peer's id"),
    hops: z.int().min(1).max(50).default(10),
    whole: z.int().optional(),
    metadata: z.record(z.string(), z.unknown()).default({}),
    note: z.string().default(""),
    at: z.iso.datetime().optional(),
    default: z.string().optional(),
    action: z.enum(["accept", "reject"]),
    ids: z.array(z.strictObject({ id: z.uuid() })).optional(),
  });
  expect(schemaOf(input)).toEqual({
    type: "object",
    properties: {
      to: { type: "string", maxLength: 64, description: "the peer's id" },
      hops: { type: "integer", minimum: 1, maximum: 50, default: 10 },
      whole: { type: "integer" },
      metadata: { type: "object" },
      note: { type: "string" },
      at: { type: "string", format: "date-time" },
      default: { type: "string" },
      action: { type: "string", enum: ["accept", "reject"] },
      ids: {
        type: "array",
        items: { type: "object", properties: { id: { type: "string", format: "uuid" } }, required: ["id"] },
      },
    },
    required: ["to", "action"],
  });
});

test("a tool without parameters has an empty object for a schema", () => {
  expect(schemaOf(z.object({}))).toEqual({ type: "object", properties: {} });
});

test("the schema of a tool is made once", () => {
  const input = z.object({ a: z.string() });
  expect(schemaOf(input)).toBe(schemaOf(input));
});
