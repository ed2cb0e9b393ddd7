import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AgentId,
  canonicalJson,
  codePointLength,
  cutCodePoints,
  DarkMatterError,
  errorsOf,
  exceedsCodePoints,
  fromHex,
  hasCode,
  isAdmissibleKey,
  isFresh,
  isoTime,
  JSON_DEPTH_MAX,
  type Json,
  jsonDepth,
  newId,
  newUuid,
  parseJson,
  parseTime,
  systemRandom,
  toHex,
} from "./index.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../../vectors/mesh/timestamps.json", import.meta.url), "utf8"),
) as {
  now: string;
  cases: { timestamp: string; fresh: boolean }[];
  isoformat_examples: { unix: number; text: string }[];
};

describe("times", () => {
  test.each(vectors.cases)("$timestamp is fresh: $fresh", ({ timestamp, fresh }) => {
    expect(isFresh(timestamp, parseTime(vectors.now) ?? Number.NaN)).toBe(fresh);
  });

  test.each(vectors.isoformat_examples)("$text is read to the microsecond", ({ unix, text }) => {
    expect(parseTime(text)).toBeCloseTo(unix * 1000, 3);
  });

  test("what is written is read back, with an offset that every Python parses", () => {
    const instants = fc.integer({ min: 0, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(instants, (unixMs) => {
        const text = isoTime(unixMs);
        return parseTime(text) === unixMs && /T\d\d:\d\d:\d\d(\.\d{3})?\+00:00$/.test(text);
      }),
    );
  });

  test.each([
    "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-03-00T00:00:00Z",
    "2026-03-05T12:60:00Z",
    "2026-03-05T12:00:60Z",
    "2026-03-05T12:00:00",
    "2026-03-05T12:00:00+1",
    `2026-03-05T12:00:00.${"0".repeat(60)}Z`,
  ])("%s is no time", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test("every moment of the calendar is read as the platform reads it", () => {
    const moments = fc.date({
      min: new Date("0000-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    });
    fc.assert(fc.property(moments, (moment) => parseTime(moment.toISOString()) === moment.getTime()));
  });

  test("no text makes the reader throw", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => void parseTime(text)));
  });
});

describe("bytes", () => {
  test("hex goes there and back in either case", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const hex = toHex(bytes);
        expect(fromHex(hex)).toEqual(bytes);
        expect(fromHex(hex.toUpperCase())).toEqual(bytes);
      }),
    );
    for (const text of ["0", "0g", " 00", "0x00", "é"]) expect(fromHex(text)).toBeUndefined();
  });

  test("lengths count code points, as Python's len does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.nat({ max: 45 }), (text, max) => {
        const points = Array.from(text);
        expect(codePointLength(text)).toBe(points.length);
        expect(exceedsCodePoints(text, max)).toBe(points.length > max);
        expect(cutCodePoints(text, max)).toBe(points.slice(0, max).join(""));
      }),
    );
    expect(exceedsCodePoints("🚀".repeat(65_536), 65_536)).toBe(false);
    expect(exceedsCodePoints("🚀".repeat(65_537), 65_536)).toBe(true);
  });
});

describe("keys", () => {
  const P = (1n << 255n) - 19n;
  const encode = (y: bigint, sign = 0n) =>
    toHex(
      Uint8Array.from({ length: 32 }, (_, at) => Number(((y | (sign << 255n)) >> BigInt(8 * at)) & 0xffn)),
    );
  const ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

  test.each([0n, 1n, P - 1n, ORDER_8, P - ORDER_8])(
    "a point of small order (y = %d) is refused with either sign",
    (y) => {
      expect(isAdmissibleKey(encode(y))).toBe(false);
      expect(isAdmissibleKey(encode(y, 1n))).toBe(false);
    },
  );

  test("an encoding of y at or above the prime is refused", () => {
    for (let y = P; y < 1n << 255n; y++) expect(isAdmissibleKey(encode(y))).toBe(false);
  });

  test("an ordinary key is admitted in either case, anything that is not 32 bytes of hex is not", () => {
    const key = "7c0ec51d2676448b8fe1b920660beeb74f2ccb872d61c0ca43eb2de71a559d31";
    expect(isAdmissibleKey(key)).toBe(true);
    expect(isAdmissibleKey(key.toUpperCase())).toBe(true);
    for (const text of ["", key.slice(2), `${key}00`, key.replace("7", "g")])
      expect(isAdmissibleKey(text)).toBe(false);
  });

  test("an agent id is lower case and whole", () => {
    expect(AgentId.safeParse("ab".repeat(32)).success).toBe(true);
    expect(AgentId.safeParse("AB".repeat(32)).success).toBe(false);
    expect(AgentId.safeParse(`${"ab".repeat(32)}\n`).success).toBe(false);
  });
});

describe("json", () => {
  test("deep texts are refused before anything walks them, shallow ones are not", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJson(nested(JSON_DEPTH_MAX))).toBeDefined();
    expect(parseJson(nested(JSON_DEPTH_MAX + 1))).toBeUndefined();
    expect(parseJson(nested(1_000_000))).toBeUndefined();
    for (const text of ["1e999", "[-1e+400]", `{"a":1${"0".repeat(309)}}`])
      expect(parseJson(text)).toBeUndefined();
    for (const text of ["1e300", '"1e999"', "0.1e-999"]) expect(parseJson(text)).toBe(JSON.parse(text));
    expect(parseJson(JSON.stringify("[".repeat(1000)))).toBe("[".repeat(1000));
    expect(parseJson(JSON.stringify(`\\"${"{".repeat(1000)}`))).toBeDefined();
  });

  test("the depth found is the depth built", () => {
    const depthOf = (value: unknown): number =>
      typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
    fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => jsonDepth(text) === depthOf(JSON.parse(text))));
  });

  test("no text makes the parser throw", () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseJson(text)));
  });

  test("the canonical text does not depend on the order of keys", () => {
    expect(canonicalJson({ b: 1, a: [1.0, "é", null] })).toBe('{"a":[1,"é",null],"b":1}');
    expect(() => canonicalJson(undefined as unknown as Json)).toThrow(TypeError);
  });
});

describe("ids and errors", () => {
  test("generated ids have the lengths the wire expects", () => {
    expect(newId("msg", systemRandom)).toMatch(/^msg-[0-9a-f]{12}$/);
    expect(newId("req", systemRandom)).toMatch(/^req-[0-9a-f]{8}$/);
    expect(newId("ch", systemRandom)).toMatch(/^ch-[0-9a-f]{16}$/);
    expect(newUuid(systemRandom)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test("an error carries its code, its status and what to do", () => {
    const lost = errorsOf({
      LOST: { status: 410, retryable: false, message: "It is gone.", hint: "Look elsewhere." },
    });
    const error = lost("LOST", undefined, new Error("cause"));
    expect(error).toMatchObject({
      code: "LOST",
      status: 410,
      message: "It is gone.",
      hint: "Look elsewhere.",
    });
    expect(lost("LOST", "The note is gone.").message).toBe("The note is gone.");
    expect(hasCode(error, "LOST")).toBe(true);
    expect(hasCode(new Error("LOST"), "LOST")).toBe(false);
    expect(error).toBeInstanceOf(DarkMatterError);
  });
});
