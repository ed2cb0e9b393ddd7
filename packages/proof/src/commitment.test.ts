import { createHash } from "node:crypto";
import { canon1, exactOf, type Json, readExactJson } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fieldCommitment } from "./commitment.ts";

const sha = (text: string) => createHash("sha256").update(text).digest("hex");
const salt = sha("salt");

describe("a field's commitment", () => {
  test("hashes its label, salt, name and canonical value, line by line", () => {
    const value = { b: [1, 0.1], a: "é\n" };
    const canonical = '{"a":"é\\n","b":[1,0.10000000000000001]}';
    const hash = sha(`darkmatter.field.v1\n${salt}\nmetadata\n${canonical}`);
    expect(fieldCommitment({ salt, name: "metadata", value })).toBe(hash);
    expect(fieldCommitment({ salt, name: "metadata", value: readExactJson(JSON.stringify(value)) })).toBe(
      hash,
    );
  });

  test("keeps tokens that a double would lose", () => {
    const of = (text: string) => fieldCommitment({ salt, name: "score", value: readExactJson(text) });
    expect(of("1.0")).not.toBe(of("1"));
    expect(of("[9007199254740993]")).not.toBe(of("[9007199254740992]"));
    expect(of("[[9007199254740993]]")).toBe(sha(`darkmatter.field.v1\n${salt}\nscore\n[[9007199254740993]]`));
  });

  test("is the same for a value in memory and for its text, read", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = value as Json;
        const hash = sha(`darkmatter.field.v1\n${salt}\nx\n${canon1(exactOf(json))}`);
        expect(fieldCommitment({ salt, name: "x", value: json })).toBe(hash);
        expect(fieldCommitment({ salt, name: "x", value: exactOf(json) })).toBe(hash);
      }),
    );
  });

  test("of a text that is not well-formed does not exist", () => {
    expect(() => fieldCommitment({ salt, name: "x", value: "\ud800" })).toThrow("surrogate");
  });
});
