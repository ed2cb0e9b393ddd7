import { utf8 } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createAssembly,
  FRAME_BYTES_MAX,
  framesOf,
  type Part,
  readFrame,
  TEXT_BYTES_MAX,
  WHOLE_WITHIN_MS,
} from "./channel-frames.ts";

function partOf(frame: string): Part {
  const read = readFrame(frame);
  if (read?.kind !== "part") throw new Error("no part");
  return read;
}

const part = (fields: Partial<Part>): Part => ({
  kind: "part",
  id: "r1",
  part: 0,
  parts: 2,
  text: "x",
  answer: false,
  ...fields,
});

test("any text comes out as it went in, and no frame is longer than 16,384 bytes", () => {
  const texts = fc
    .array(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom('"', "\\", "\u0000", "ü", "漢", "🜚", "\ud800")),
    )
    .chain((units) =>
      fc.integer({ min: 1, max: 20_000 }).map((times) => units.join("").repeat(times).slice(0, 60_000)),
    );
  fc.assert(
    fc.property(texts, fc.boolean(), (text, answer) => {
      const frames = framesOf("a".repeat(64), text, answer) ?? [];
      const assembly = createAssembly(() => 0);
      const joined = frames.map((frame) => {
        expect(utf8(frame).length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
        return assembly.add(partOf(frame));
      });
      expect(joined.pop()).toEqual({ text });
      expect(joined.every((one) => one === "unfinished")).toBe(true);
      expect(assembly.size).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test("the longest text fits, however it is written; one byte more does not", () => {
  for (const text of ["\u0001".repeat(TEXT_BYTES_MAX), "a".repeat(TEXT_BYTES_MAX)]) {
    const frames = framesOf("r", text, false) ?? [];
    const assembly = createAssembly(() => 0);
    expect(frames.map((frame) => assembly.add(partOf(frame))).pop()).toEqual({ text });
  }
  expect(framesOf("r", "a".repeat(TEXT_BYTES_MAX + 1), false)).toBeUndefined();
  expect(framesOf("r", "ü".repeat(TEXT_BYTES_MAX / 2 + 1), false)).toBeUndefined();
});

test("whatever comes as a frame is read or refused, and never throws", () => {
  const payload = fc.record(
    {
      id: fc.oneof(fc.string(), fc.constant("r1")),
      part: fc.oneof(fc.integer(), fc.double(), fc.constant(0)),
      parts: fc.oneof(fc.integer(), fc.constant(1)),
      text: fc.oneof(fc.string(), fc.integer()),
      answer: fc.oneof(fc.boolean(), fc.constant(null)),
    },
    { requiredKeys: [] },
  );
  const frame = fc.record({ path: fc.constant("/__darkmatter__/channel"), payload });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        frame.map((one) => JSON.stringify(one)),
      ),
      (text) => {
        const read = readFrame(text);
        if (read?.kind !== "part") return;
        expect(read.part).toBeGreaterThanOrEqual(0);
        expect(read.part).toBeLessThan(read.parts);
        expect(read.id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      },
    ),
  );
  expect(readFrame("x".repeat(FRAME_BYTES_MAX + 1))).toBeUndefined();
  expect(
    readFrame(JSON.stringify({ path: "/x", payload: { a: "ü".repeat(FRAME_BYTES_MAX / 2) } })),
  ).toBeUndefined();
});

test("parts out of order, of another count, or more than were said are broken", () => {
  expect(createAssembly(() => 0).add(part({ part: 1 }))).toBe("broken");
  const twice = createAssembly(() => 0);
  twice.add(part({}));
  expect(twice.add(part({}))).toBe("broken");
  const recounted = createAssembly(() => 0);
  recounted.add(part({}));
  expect(recounted.add(part({ part: 1, parts: 3 }))).toBe("broken");
});

test("a text longer than 1 MiB is broken as soon as it is, and so are half-sent texts of more than 2 MiB together", () => {
  const long = createAssembly(() => 0);
  const text = "x".repeat(16_000);
  const answers = Array.from({ length: 70 }, (_, at) => long.add(part({ part: at, parts: 70, text })));
  expect(answers.indexOf("broken")).toBe(Math.floor(TEXT_BYTES_MAX / 16_000));

  const many = createAssembly(() => 0);
  let broken = 0;
  for (let id = 0; id < 32; id++) {
    for (let at = 0; at < 6; at++)
      if (many.add(part({ id: `r${id}`, part: at, parts: 9, text })) === "broken") broken++;
  }
  expect(broken).toBeGreaterThan(0);
});

test("a text that is not whole within 30 s is dropped, and what still comes of it is passed over", () => {
  let nowMs = 0;
  const assembly = createAssembly(() => nowMs);
  assembly.add(part({}));
  nowMs = WHOLE_WITHIN_MS;
  assembly.dropOld(nowMs);
  expect(assembly.size).toBe(0);
  expect(assembly.add(part({ part: 1 }))).toBe("unfinished");
  expect(assembly.size).toBe(0);
});
