import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DarkMatterError,
  type ExactJson,
  ExactNumber,
  exactOf,
  isExactObject,
  type Json,
  readExactJson,
  readExactObject,
  writeExactJson,
} from "./index.ts";

/** The code and the position of the refusal; fails on any other error, and on none. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof DarkMatterError) || error.status !== 400) throw error;
    return `${error.code} ${/position (\d+)/.exec(error.message)?.[1] ?? "nowhere"}`;
  }
  throw new Error("not refused");
}

/** What `JSON.parse` would have given. */
function plain(value: ExactJson): unknown {
  if (value instanceof ExactNumber) return Number(value.token);
  if (isExactObject(value)) {
    return Object.fromEntries([...value].map(([key, inside]) => [key, plain(inside)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

describe("reading", () => {
  test("keeps every number's token and every object's order", () => {
    const text = '{"b":1.0,"a":[1e-7,9007199254740993,-0,-0.0,1E+2],"__proto__":null,"10":true,"2":false}';

    expect(writeExactJson(readExactJson(text))).toBe(text);
  });

  test.each<[string, string]>([
    ["", "invalid_json 0"],
    [" ", "invalid_json 1"],
    ["\ufeff{}", "invalid_json 0"],
    ["{} x", "invalid_json 3"],
    ["[1,]", "invalid_json 3"],
    ["[1", "invalid_json 2"],
    ["[,1]", "invalid_json 1"],
    ['{"a":1,}', "invalid_json 7"],
    ['{"a"}', "invalid_json 4"],
    ["{a:1}", "invalid_json 1"],
    ["[}", "invalid_json 1"],
    ["nul", "invalid_json 0"],
    ["nulls", "invalid_json 4"],
    ["+1", "invalid_json 0"],
    ["-", "invalid_json 1"],
    ["01", "invalid_json 1"],
    ["-01", "invalid_json 2"],
    ["1.", "invalid_json 2"],
    [".5", "invalid_json 0"],
    ["1e", "invalid_json 2"],
    ["1e+", "invalid_json 3"],
    ["1.5.5", "invalid_json 3"],
    ["0x1", "invalid_json 1"],
    ["Infinity", "invalid_json 0"],
    ['"abc', "invalid_json 4"],
    ['"a\u0000b"', "invalid_json 2"],
    ['"a\nb"', "invalid_json 2"],
    ['"\\', "invalid_json 1"],
    ['"\\x"', "invalid_json 1"],
    ['"\\u12g4"', "invalid_json 1"],
    ['"\\u12"', "invalid_json 1"],
    ["\u00a01", "invalid_json 0"],
    ['[{"a":1,"\\u0061":2}]', "duplicate_key 1"],
    ['{"":1,"":1}', "duplicate_key 0"],
    ['{"b":{"__proto__":1,"__proto__":1}}', "duplicate_key 5"],
    ['["\\ud83d"]', "lone_surrogate 1"],
    ['{"\\ude80":1}', "lone_surrogate 1"],
    ['["\ud83d"]', "lone_surrogate 1"],
    ['["fine","a\ude80\ud83d"]', "lone_surrogate 8"],
    ["[1e309]", "non_finite_number 1"],
    ["-1e400", "non_finite_number 0"],
    [`${"9".repeat(400)}.5`, "non_finite_number 0"],
    [`[-${"1".repeat(1001)}]`, "number_too_long 1"],
    ["[".repeat(257), "too_deep 256"],
    ["[".repeat(1_000_000), "too_deep 256"],
    ['{"a":'.repeat(1_000_000), "too_deep 1280"],
  ])("%j is refused", (text, expected) => {
    expect(refusal(() => readExactJson(text))).toBe(expected);
  });

  test("what is just within the limits is read", () => {
    const depths = (count: number) => `${"[".repeat(count)}${"]".repeat(count)}`;
    const texts = [
      depths(256),
      `-${"1".repeat(1000)}`,
      `0.${"1".repeat(2000)}`,
      "1.7976931348623157e308",
      '"\\ud83d\\ude80"',
      `[${depths(255)},${depths(255)}]`,
      '\t\r\n {\r"a"\t:\n1\r,\t"\\u00E9\\/" : [ ] }\r',
    ];

    for (const text of texts) expect(plain(readExactJson(text))).toEqual(JSON.parse(text));
    expect(refusal(() => readExactJson("[[]]", { maxDepth: 1 }))).toBe("too_deep 1");
  });

  test("only an object is read where an object is wanted", () => {
    expect(readExactObject('{"a":1}').get("a")).toEqual(new ExactNumber("1"));
    for (const text of ["[]", "null", '"{}"', "1"]) {
      expect(refusal(() => readExactObject(text))).toBe("not_an_object nowhere");
    }
  });

  test("a refusal repeats nothing of the text", () => {
    const secret = "s3cr3t";
    for (const text of [`{"${secret}":1,"${secret}":2}`, `["${secret}\\x"]`, `["${secret}`]) {
      expect(() => readExactJson(text)).not.toThrow(secret);
    }
  });

  test("agrees with the platform on every JSON text", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary", maxDepth: 6 }), fc.nat(3), (compact, indent) => {
        const text = JSON.stringify(JSON.parse(compact), null, indent);
        expect(accepted(text)).toEqual(acceptedByPlatform(text));
      }),
      { numRuns: 500 },
    );
  });

  test("agrees with the platform on damaged JSON text", () => {
    const scraps = [
      ..."{}[]:,\"\\'0159-+.eEu/ntrfa \t\n\u0000\u001f\u007f\ud83d\ude80\ufeff",
      "\\u",
      '"a":',
      "\\ud83d",
    ];
    const damage = fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.constantFrom("", ...scraps) });
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.array(damage, { minLength: 1, maxLength: 4 }),
        (whole, blows) => {
          const text = blows.reduce((before, { at, cut, put }) => {
            const place = at % (before.length + 1);
            return before.slice(0, place) + put + before.slice(place + cut);
          }, whole);
          expect(accepted(text)).toEqual(acceptedByPlatform(text));
        },
      ),
      { numRuns: 5000 },
    );
  });

  test("time grows with the text, whatever the text is", () => {
    const size = 4_000_000;
    const repeated = (part: string) => part.repeat(size / part.length);
    const texts: [string, string][] = [
      [`"${repeated("a")}"`, "read"],
      [`"${repeated("\\n")}"`, "read"],
      [`"${repeated("\\u00e9")}"`, "read"],
      [`"${repeated("a")}`, `invalid_json ${size + 1}`],
      [`[${repeated('"a",')}1]`, "read"],
      [`[${repeated('"')}`, "invalid_json 3"],
      [repeated(" "), `invalid_json ${size}`],
      [`[1${repeated("  ,1")}]`, "read"],
      [`{${Array.from({ length: size / 16 }, (_, n) => `"key ${size - n}":0`).join(",")}}`, "read"],
      [`0.${repeated("1")}`, "read"],
      [repeated("1"), "number_too_long 0"],
    ];

    for (const [text, expected] of texts) {
      // Not by what the platform makes of it, member by member: that takes most of the time.
      const became = expected === "read" ? readExactJson(text) && "read" : refusal(() => readExactJson(text));
      expect(became, text.slice(0, 20)).toBe(expected);
    }
  });
});

describe("a value that exists only in memory", () => {
  test("is what its JSON text would be read as", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(exactOf(value as Json)).toEqual(readExactJson(JSON.stringify(value)));
      }),
    );
  });

  test("is refused where it cannot be said", () => {
    const deep = Array.from({ length: 256 }).reduce<Json>((inside) => [inside], {});
    const endless: Json[] = [];
    endless.push(endless);

    expect(refusal(() => exactOf(Number.POSITIVE_INFINITY))).toBe("non_finite_number nowhere");
    expect(refusal(() => exactOf([Number.NaN]))).toBe("non_finite_number nowhere");
    expect(refusal(() => exactOf({ a: "\ud83d" }))).toBe("lone_surrogate nowhere");
    expect(refusal(() => exactOf({ "\ude80": 1 }))).toBe("lone_surrogate nowhere");
    expect(refusal(() => exactOf(deep))).toBe("too_deep nowhere");
    expect(refusal(() => exactOf(endless))).toBe("too_deep nowhere");
  });
});

/** The value in a box; nothing where it is refused. */
function accepted(text: string): { value: unknown } | undefined {
  try {
    return { value: plain(readExactJson(text)) };
  } catch (error) {
    if (error instanceof DarkMatterError) return undefined;
    throw error;
  }
}

/** The same by `JSON.parse`, which lets through what we refuse besides. */
function acceptedByPlatform(text: string): { value: unknown } | undefined {
  let memberCount = 0;
  let isRefused = false;
  try {
    const value: unknown = JSON.parse(text, function (this: unknown, key, inside: unknown) {
      if (typeof inside === "number" && !Number.isFinite(inside)) isRefused = true;
      if (typeof inside === "string" && !inside.isWellFormed()) isRefused = true;
      if (!key.isWellFormed()) isRefused = true;
      if (isPlainObject(inside)) memberCount += Object.keys(inside).length;
      return inside;
    });
    // A key that is there twice leaves fewer members than there are colons outside of strings.
    const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, "").split(":").length - 1;
    return isRefused || colons !== memberCount ? undefined : { value };
  } catch {
    return undefined;
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
