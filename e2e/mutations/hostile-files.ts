import { BUNDLE_BYTES_MAX } from "@darkmatter/proof";

/** A file that is no bundle, and may be meant to break whoever reads it. */
export interface HostileFile {
  readonly name: string;
  bytes(): Uint8Array;
}

const MB = 1_000_000;
const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (name: string, make: () => string): HostileFile => ({ name, bytes: () => utf8(make()) });

/** @param bundle a valid one, as text */
export function hostileFiles(bundle: string, { short }: { readonly short: boolean }): readonly HostileFile[] {
  const nested = (depth: number, inside = "") => "[".repeat(depth) + inside + "]".repeat(depth);
  const withValue = (value: string) => bundle.replace(/"_spec":\{/, `"_spec":{"extra":${value},`);
  const small = [
    text("empty", () => ""),
    text("one space", () => " "),
    text("a byte order mark", () => `\ufeff${bundle}`),
    text("something after the end", () => `${bundle}{}`),
    text("NaN", () => withValue("NaN")),
    text("Infinity", () => withValue("-Infinity")),
    text("a number beyond every double", () => withValue("1e400")),
    text("an integer of 1000 digits", () => withValue("9".repeat(1000))),
    text("an integer of 1001 digits", () => withValue("9".repeat(1001))),
    text("a lone surrogate", () => withValue('"\\ud800"')),
    text("a lone surrogate as a key", () => withValue('{"\\udc00":1}')),
    text("a key twice", () => withValue('{"a":1,"\\u0061":1}')),
    text("254 levels inside", () => withValue(nested(254))),
    text("255 levels inside", () => withValue(nested(255))),
    text("256 levels", () => nested(256)),
    text("257 levels", () => nested(257)),
    text("100,000 levels", () => nested(100_000)),
    text("100,000 levels that never end", () => '{"a":'.repeat(100_000)),
    text("no object", () => "[1,2,3]"),
    { name: "binary", bytes: () => Uint8Array.from({ length: 10_000 }, (_, at) => (at * 197) & 0xff) },
    {
      name: "bytes that are no UTF-8",
      bytes: () => Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d),
    },
    { name: "a surrogate in UTF-8", bytes: () => Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22) },
  ];
  if (short) return small;
  const padded = (length: number) => {
    const whole = new Uint8Array(length).fill(0x20);
    whole.set(utf8(bundle));
    return whole;
  };
  return [
    ...small,
    { name: "a bundle and spaces up to 200 MB", bytes: () => padded(BUNDLE_BYTES_MAX) },
    { name: "one byte more than 200 MB", bytes: () => padded(BUNDLE_BYTES_MAX + 1) },
    text("a string of 190 MB", () => withValue(`"${"x".repeat(190 * MB)}"`)),
    text("95 million zeros", () => `{"zeros":[0${",0".repeat(95 * MB)}]}`),
    text("12 million empty objects", () => `{"empty":[{}${",{}".repeat(12 * MB)}]}`),
    text("200 MB of brackets", () => nested(99 * MB)),
  ];
}
