const encoder = new TextEncoder();
/** The value of a hex digit, by its character's code. */
const DIGITS: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase());
  return digit < 0 ? undefined : digit;
});
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Lower-case hex, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Reads hex in either case; `undefined` when the text is not whole bytes of hex. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    const high = DIGITS[text.charCodeAt(at * 2)];
    const low = DIGITS[text.charCodeAt(at * 2 + 1)];
    if (high === undefined || low === undefined) return undefined;
    bytes[at] = high * 16 + low;
  }
  return bytes;
}

/** The length of a text in Unicode code points: what every limit of the mesh counts. */
export function codePointLength(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(at + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--;
      at++;
    }
  }
  return count;
}

/** Whether a text holds more than `max` code points, without counting a short one. */
export function exceedsCodePoints(text: string, max: number): boolean {
  return text.length > max && codePointLength(text) > max;
}

/** The first `max` code points of a text. */
export function cutCodePoints(text: string, max: number): string {
  if (text.length <= max) return text;
  return exceedsCodePoints(text, max) ? Array.from(text).slice(0, max).join("") : text;
}
