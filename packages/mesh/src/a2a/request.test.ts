import { DarkMatterError, type Json, type JsonObject } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { a2aMessage } from "../testing/a2a-caller.ts";
import { rpcError } from "./protocol-errors.ts";
import { parseList, parseRpc, parseSend, parseTask, requireVersion } from "./request.ts";

/** What is refused is refused in the protocol's words, whatever it is. */
function refusedWell(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    return error instanceof DarkMatterError && rpcError(error) !== undefined;
  }
}

const anything = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;
const object = fc.dictionary(fc.string(), anything) as fc.Arbitrary<JsonObject>;

test("any JSON is read or refused in the protocol's words", () => {
  const message = fc.record(
    {
      messageId: fc.oneof(fc.string(), anything),
      contextId: fc.oneof(fc.string(), anything),
      taskId: fc.oneof(fc.string(), anything),
      role: fc.constantFrom<Json>("ROLE_USER", 1, "ROLE_AGENT", null),
      parts: fc.array(
        fc.oneof(anything, fc.record({ text: fc.string({ unit: "binary" }) }), fc.record({ data: anything })),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(anything, (value) => refusedWell(() => parseRpc(value))));
  fc.assert(
    fc.property(message, anything, (said, configuration) =>
      refusedWell(() => parseSend({ message: said as JsonObject, configuration })),
    ),
  );
  fc.assert(fc.property(object, (params) => refusedWell(() => parseList(params))));
  fc.assert(fc.property(object, (params) => refusedWell(() => parseTask(params))));
});

test("what a caller says reaches the agent as it was said", () => {
  const parts = fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, (texts) => {
      fc.pre(texts.join("").trim() !== "");
      const said = texts.map((text) => ({ text }));
      expect(parseSend({ message: a2aMessage("", { parts: said }) }).content).toBe(texts.join("\n\n"));
    }),
  );
});

test("only version 1.0 is spoken", () => {
  const spoken = (version: string | undefined, search = "") => {
    const headers: Record<string, string> = version === undefined ? {} : { "a2a-version": version };
    return () => requireVersion({ headers, search: new URLSearchParams(search) });
  };
  expect(spoken("1.0")).not.toThrow();
  expect(spoken(undefined, "A2A-Version=1.0")).not.toThrow();
  for (const version of ["0.3", "1.00", "1", "1.0, 0.3", "__proto__"])
    expect(spoken(version), version).toThrow();
  expect(spoken(undefined)).toThrow();
});
