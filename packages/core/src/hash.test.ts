import { expect, test } from "vitest";
import * as noble from "./adapters/sha256-noble.ts";
import { sha256Hex, sha256HexOf, utf8 } from "./index.ts";

test("bytes in pieces have the hash of the whole, in Node and in a browser", () => {
  const whole = utf8("proof, in three pieces");
  const pieces = [whole.subarray(0, 5), whole.subarray(5, 5), whole.subarray(5)];

  expect(sha256HexOf(pieces)).toBe(sha256Hex(whole));
  expect(noble.sha256HexOf(pieces)).toBe(sha256Hex(whole));
  expect(sha256HexOf([])).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});
