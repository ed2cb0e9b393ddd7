import { canon1OfJson } from "@darkmatter/core";
import { expect, test } from "vitest";
import { makeBundle } from "../testing/conversation.ts";
import { verifyInline } from "../testing/keys.ts";
import { countMarks } from "./spans.ts";
import { verifyBundle } from "./verify-bundle.ts";

const MARKS_MAX = 6_000_000;

test("commas and opening brackets are counted where they stand in no string", () => {
  expect(countMarks('{"a,[{\\\\\\"":[1, 2,{}],"\\\\":","}')).toBe(6);
  expect(countMarks("")).toBe(0);
  expect(countMarks('[1,"never ends,,,')).toBe(2);
});

test("a file of more values than memory surely holds is refused, and one of as many is not, however it is written", async () => {
  const bundle = canon1OfJson(await makeBundle({ seed: 1 }));
  const room = MARKS_MAX - countMarks(bundle) - 2;
  for (const space of ["", " "]) {
    const withZeros = (count: number) =>
      bundle.replace('"_spec":{', `${space}"_spec":{"AAA":[0${",0".repeat(count)}],`);
    const [fits, over] = await Promise.all(
      [room, room + 1].map(async (count) => (await verifyBundle(withZeros(count), verifyInline)).phases),
    );
    expect(fits?.[0]).toMatchObject({ phase: "format", status: "pass" });
    expect(over?.[0]).toMatchObject({ phase: "format", status: "fail" });
    expect(over?.[0]?.detail).toContain("more than 6000000 values");
  }
});
