import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canon1,
  canon1OfJson,
  canon1OfText,
  canonE,
  DarkMatterError,
  ExactNumber,
  exactOf,
  type Json,
  legacyText,
  readExactJson,
  readExactObject,
  readMemberTexts,
  sha256Hex,
  utf8,
} from "./index.ts";
import { quickestRatio } from "./testing/quickest-ratio.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../../vectors/ledger/canonical.json", import.meta.url), "utf8"),
) as {
  cases: {
    note: string;
    json: string;
    canonical: string;
    payload_hash: string;
    attestation: { canonical: string; hash: string };
    legacy_replacer: { text: string; payload_hash: string };
  }[];
  rejects: { note: string; json: string; reject: string }[];
};

const hashOf = (text: string) => sha256Hex(utf8(text));

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof DarkMatterError) return error.code;
    throw error;
  }
  return undefined;
}

describe("vectors", () => {
  test("are all there", () => {
    expect([vectors.cases.length, vectors.rejects.length]).toEqual([86, 10]);
  });

  test.each(vectors.cases)("$note", (expected) => {
    const payload = readExactObject(expected.json);

    expect(canon1(payload)).toBe(expected.canonical);
    expect(canon1OfText(expected.json)).toBe(expected.canonical);
    expect(hashOf(canon1(payload))).toBe(expected.payload_hash);
    expect(canonE(payload)).toBe(expected.attestation.canonical);
    expect(`sha256:${hashOf(canonE(payload))}`).toBe(expected.attestation.hash);
    expect(legacyText(payload)).toBe(expected.legacy_replacer.text);
    expect(hashOf(legacyText(payload))).toBe(expected.legacy_replacer.payload_hash);
  });

  test.each(vectors.rejects)("$reject: $note", ({ json, reject }) => {
    expect(codeOf(() => readExactObject(json))).toBe(reject);
    if (reject !== "not_an_object") expect(codeOf(() => canon1OfText(json))).toBe(reject);
  });
});

describe("canonical text", () => {
  test("sorts keys by code point, many or few", () => {
    const keys = [
      "\u{10ffff}",
      "\u{1f600}",
      "\ue000b",
      "\ue000",
      "\uffff",
      "\ud7ff",
      "é",
      "a",
      "ab",
      "",
      "Z",
    ];
    const many = Array.from({ length: 40 }, (_, n) => `k${n}`);
    for (const some of [keys, [...keys, ...many]]) {
      const sorted = some.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      const text = `{${some.map((key) => `${JSON.stringify(key)}:0`).join()}}`;

      expect([...readExactObject(canon1OfText(text)).keys()]).toEqual(sorted);
    }
  });

  test("is the same whichever way it is made, and its own canonical text", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        const canonical = canon1(readExactJson(text));
        expect(canon1OfText(text)).toBe(canonical);
        expect(canon1(readExactJson(canonical))).toBe(canonical);
        expect(canon1OfText(canonical)).toBe(canonical);
        const shortest = canonE(readExactJson(text));
        expect(canonE(readExactJson(shortest))).toBe(shortest);
      }),
      { numRuns: 1000 },
    );
  });

  test("of a value in memory is that of its JSON text", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "grapheme" }), (value) => {
        expect(canon1OfJson(value as Json)).toBe(canon1(exactOf(value as Json)));
        expect(canon1OfJson(value as Json)).toBe(canon1OfText(JSON.stringify(value)));
      }),
      { numRuns: 1000 },
    );
  });

  test("of a value in memory is refused where it cannot be said", () => {
    const endless: Json[] = [];
    endless.push(endless);
    const values: [Json, string][] = [
      [[Number.NaN], "non_finite_number"],
      [{ a: Number.NEGATIVE_INFINITY }, "non_finite_number"],
      [["\udc00"], "lone_surrogate"],
      [{ "a\ud800": 1 }, "lone_surrogate"],
      [endless, "too_deep"],
    ];

    for (const [value, code] of values) expect(codeOf(() => canon1OfJson(value))).toBe(code);
    expect(canon1OfJson([-0, 1e20, 1e21, 2 ** 60, 0.1])).toBe(
      "[0,100000000000000000000,1e+21,1152921504606847000,0.10000000000000001]",
    );
  });

  test("a key that is there twice is refused among many, too", () => {
    const members = Array.from({ length: 100 }, (_, n) => `"k${n % 99}":${n}`);

    expect(codeOf(() => canon1OfText(`{${members.join()}}`))).toBe("duplicate_key");
  });
});

describe("the text of a double", () => {
  test("has 17 digits of its exact value, ties to even", () => {
    fc.assert(
      fc.property(doubles, (value) => {
        expect(canon1(exactOfDouble(value))).toBe(exactFloat17(value));
      }),
      { numRuns: 5000 },
    );
  });

  test("has 17 digits of its exact value where two are equally near", () => {
    fc.assert(
      fc.property(ties, (value) => {
        expect(canon1(exactOfDouble(value))).toBe(exactFloat17(value));
      }),
      { numRuns: 5000 },
    );
  });

  test("is the same in canon-E, but no longer than to read back", () => {
    fc.assert(
      fc.property(doubles, (value) => {
        const text = canonE(exactOfDouble(value));
        expect(Object.is(Number(text), value)).toBe(true);
        expect(digitsOf(text)).toBe(digitsOf(String(value)));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Members in any order, white space, escapes where none are needed. */
const texts = fc
  .tuple(fc.json({ maxDepth: 5, stringUnit: "binary" }), fc.nat(2), fc.boolean())
  .map(([compact, indent, isEscaped]) => {
    const text = JSON.stringify(JSON.parse(compact), null, indent);
    return isEscaped ? text.replace(/[\u0080-\uffff]|\//g, escaped) : text;
  })
  .filter((text) => codeOf(() => readExactJson(text)) === undefined);

const escaped = (unit: string) =>
  unit === "/" ? "\\/" : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

const tokens = fc.stringMatching(/^-?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,2})?$/);
const jsonTexts = fc
  .tuple(texts, tokens, tokens)
  .map(([text, one, other]) => `{"z":[${one} , ${text}],"\\n":${other},"a":${text}}`);

const decimals = fc
  .tuple(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.integer({ min: -25, max: 25 }))
  .map(([digits, exponent]) => Number(`${digits}e${exponent}`));
const doubles = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), decimals);

/** Odd numbers over 2^k that have 18 digits: the last of them is a 5. */
const ties = fc
  .tuple(fc.integer({ min: 2, max: 25 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(1, -1))
  .map(([k, share, sign]) => {
    const [least, most] = [1e17 / 5 ** k, Math.min(1e18 / 5 ** k, 2 ** 53)];
    const whole = Math.floor(least + share * (most - least));
    return (sign * (whole + 1 - (whole % 2))) / 2 ** k;
  });

/** A float token that reads as this double. */
const exactOfDouble = (value: number) =>
  new ExactNumber(Object.is(value, -0) ? "-0.0" : value.toExponential());

const digitsOf = (text: string) =>
  /^-?([\d.]*)/
    .exec(text)?.[1]
    ?.replace(".", "")
    .replace(/^0+|0+$/g, "");

/** `%.17g` by long division, with no help from the platform's own rounding. */
function exactFloat17(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [numerator, denominator] = fractionOf(Math.abs(value));
  let exponent = -330;
  while (numerator * tenTo(-exponent - 1) >= denominator * tenTo(exponent + 1)) exponent++;
  let digits = dividedToEven(numerator * tenTo(16 - exponent), denominator * tenTo(exponent - 16));
  if (digits === 10n ** 17n) {
    digits = 10n ** 16n;
    exponent++;
  }
  const sign = value < 0 ? "-" : "";
  const text = String(digits);
  if (exponent < -4 || exponent >= 17) {
    const fraction = text.slice(1).replace(/0+$/, "");
    const power = `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    return `${sign}${text[0]}${fraction && `.${fraction}`}e${power}`;
  }
  const long = exponent < 0 ? "0".repeat(-exponent) + text : text;
  const point = exponent < 0 ? 1 : exponent + 1;
  return `${sign}${long.slice(0, point)}.${long.slice(point).replace(/0+$/, "") || "0"}`;
}

/** 10^power, or 1 where the power is negative. */
const tenTo = (power: number) => (power > 0 ? 10n ** BigInt(power) : 1n);

function fractionOf(value: number): [bigint, bigint] {
  let exponent = 0;
  let whole = value;
  while (!Number.isInteger(whole)) {
    whole *= 2;
    exponent++;
  }
  return [BigInt(whole), 2n ** BigInt(exponent)];
}

function dividedToEven(numerator: bigint, denominator: bigint): bigint {
  const [quotient, twice] = [numerator / denominator, 2n * (numerator % denominator)];
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

describe("the members of an object's text", () => {
  const rows = (text: string) =>
    [...readMemberTexts(text).members].map(([key, { text, canon1 }]) => [key, text, canon1]);

  test("come as they stand and as canon-1", () => {
    const text = ' { "p" : {"b": 1.0, "a":[1e2 , {}]} ,"\\u0061":"\\/",\n"n":1E2} ';
    expect(rows(text)).toEqual([
      ["a", '"\\/"', '"/"'],
      ["n", "1E2", "100.0"],
      ["p", '{"b": 1.0, "a":[1e2 , {}]}', '{"a":[100.0,{}],"b":1.0}'],
    ]);
    expect(readMemberTexts(text).canon1).toBe(canon1OfText(text));
    expect(rows("{}")).toEqual([]);
  });

  test("are refused where they are no object's, and as every other reading refuses them", () => {
    for (const [text, code] of [
      ["[]", "not_an_object"],
      ['"{}"', "not_an_object"],
      ["[{}]", "not_an_object"],
      ['{"a":1,"\\u0061":2}', "duplicate_key"],
      ['{"a":{"b":1,"b":1}}', "duplicate_key"],
      ["{}}", "invalid_json"],
    ] as const)
      expect(() => readMemberTexts(text)).toThrow(expect.objectContaining({ code }));
    expect(() => readMemberTexts('{"a":[[]]}', { maxDepth: 2 })).toThrow(
      expect.objectContaining({ code: "too_deep" }),
    );
  });

  test("are refused where they, and all that is inside them, are more than allowed", () => {
    // Two members, one of them with two items and one with an object of one member.
    const text = '{"a":[1,"2"],"b":[{"c":null}]}';
    expect(readMemberTexts(text, { maxValues: 6 }).members.size).toBe(2);
    expect(() => readMemberTexts(text, { maxValues: 5 })).toThrow(
      expect.objectContaining({
        code: "too_many_values",
        status: 413,
        message: expect.stringContaining("5 "),
      }),
    );
  });

  test("take no longer for a long text at the bottom of many levels than for one at the top", () => {
    const long = `"${"x".repeat(1_000_000)}"`;
    const deep = `${'{"b":1,"a":[1,'.repeat(120)}${long}${"]}".repeat(120)}`;
    const read = (text: string) => () => utf8(readMemberTexts(text).canon1);
    // Copied at each level it takes some forty times as long.
    const most = 20;
    expect(quickestRatio(read(deep), read(`{"a":${long}}`), most)).toBeLessThan(most);
  });

  test("stand in the order of their UTF-8, whatever and however many they are", () => {
    const letter = fc.constantFrom(
      "a",
      "b",
      "\u007f",
      "\u0080",
      "é",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "😀",
      "𝕏",
    );
    const name = fc.array(letter, { maxLength: 12 }).map((letters) => letters.join(""));
    const names = fc.uniqueArray(name, { minLength: 17, maxLength: 60 });
    const ofBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));
    fc.assert(
      fc.property(names, fc.constantFrom("", "aaaaaaaaa", "é"), (some, begin) => {
        const all = some.map((one) => begin + one);
        const text = canon1OfText(`{${all.map((one) => `${JSON.stringify(one)}:0`).join()}}`);
        expect(Object.keys(JSON.parse(text))).toEqual(all.toSorted(ofBytes));
      }),
    );
  });

  test("stand in the order of code points, however long, many and alike their names are", () => {
    const ends = ["", "a", "z", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10ffff}"];
    const names = [
      "",
      "k",
      "k".repeat(63),
      "k".repeat(64),
      "k".repeat(65),
      "k".repeat(200),
      `${"k".repeat(70)}😀`,
    ]
      .flatMap((begin) => ends.map((end) => begin + end))
      .filter((name, at, all) => all.indexOf(name) === at);
    const sorted = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    const keysOf = (chosen: readonly string[]) =>
      Object.keys(JSON.parse(canon1OfText(`{${chosen.map((name) => `${JSON.stringify(name)}:0`).join()}}`)));
    expect(keysOf(names.toReversed())).toEqual(sorted);
    const plain = (name: string) => !/[\ud800-\udfff]/.test(name);
    expect(keysOf(names.filter(plain).toReversed())).toEqual(sorted.filter(plain));
    for (const one of names)
      for (const other of names)
        if (one !== other)
          expect(keysOf([one, other])).toEqual(sorted.filter((name) => name === one || name === other));
  });
});
