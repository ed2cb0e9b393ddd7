import { expect, test } from "vitest";
import { HOPS_MAX, nextStep } from "./routing.ts";

const veteran = () => "veteran";
const nobody = () => undefined;

test("a match ends with a veteran, or with nobody", () => {
  expect(nextStep("match", 0, 10, veteran)).toEqual({
    kind: "resolve",
    resolution: "match",
    winner: "veteran",
  });
  expect(nextStep("match", 0, 10, nobody)).toMatchObject({ resolution: "terminal", winner: undefined });
});

test("no match hands the signal on, or ends it where there is nobody to hand it to", () => {
  expect(nextStep("no_match", 0, 10, veteran)).toEqual({ kind: "hand", to: "veteran" });
  expect(nextStep("no_match", 0, 10, nobody)).toMatchObject({ resolution: "terminal" });
  expect(nextStep("nobody", 0, 10, veteran)).toMatchObject({ resolution: "terminal", winner: undefined });
});

test("the tenth holder is the last, whatever the signal allows itself", () => {
  expect(nextStep("no_match", HOPS_MAX - 2, 10, veteran)).toMatchObject({ kind: "hand" });
  for (const hopsMax of [10, 1000, 2 ** 31]) {
    expect(nextStep("no_match", HOPS_MAX - 1, hopsMax, veteran)).toMatchObject({ resolution: "timeout" });
  }
  expect(nextStep("no_match", 1, 2, veteran)).toMatchObject({ resolution: "timeout" });
});
