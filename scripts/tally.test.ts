import { expect, test } from "vitest";
import { readFailures, readSkips, readTally, tallyLine, unlistedSkips } from "./tally.ts";

test("a count is read back as it was printed", () => {
  for (const tally of [
    { passed: 0, failed: 0, skipped: 0 },
    { passed: 12, failed: 3, skipped: 4 },
  ]) {
    expect(readTally(`something\n${tallyLine(tally)}\n\n`)).toEqual(tally);
  }
});

test("only the last line counts, so that a runner that died is not taken for one that passed", () => {
  expect(readTally("3 passed, 0 failed\nError: out of memory\n")).toBeUndefined();
  expect(readTally("")).toBeUndefined();
});

test("skips are found with their reasons", () => {
  expect(readSkips("ok\nskip store on PostgreSQL: no server\n  skip b: c\nskipped x\n")).toEqual([
    "store on PostgreSQL: no server",
    "b: c",
  ]);
});

test("what failed is found by its lines, whoever prints them", () => {
  const output = "ok     a\nFAILED b: too late\n  FAILED c\nSURVIVED d: e\nNOT FAILED\n1 passed, 3 failed\n";
  expect(readFailures(output)).toEqual(["FAILED b: too late", "FAILED c", "SURVIVED d: e"]);
});

test("a runner that names nothing is told of by its last lines, and a long list is cut", () => {
  expect(readFailures("one\n\nlost: two\n0 passed, 1 failed\n")).toEqual(["one", "lost: two"]);
  const many = Array.from({ length: 23 }, (_, at) => `FAILED ${at}`);
  expect(readFailures(many.join("\n"))).toEqual([...many.slice(0, 20), "and 3 more"]);
});

test("a skip is listed by its text, a star standing for anything", () => {
  const list = "# why\n\nwebrtc *: no interface (eth0)\nexact: reason\n";
  const skips = ["webrtc offer: no interface (eth0)", "exact: reason", "exact: reason, more", "other: x"];
  expect(unlistedSkips(skips, list)).toEqual(["exact: reason, more", "other: x"]);
});
