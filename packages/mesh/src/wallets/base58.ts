const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** A signature, the longest there is here, has 88. */
const CHARACTERS_MAX = 90;

/** Bytes in the alphabet of Bitcoin and Solana; a leading `1` for each leading zero. */
export function toBase58(bytes: Uint8Array): string {
  let rest = 0n;
  for (const byte of bytes) rest = (rest << 8n) | BigInt(byte);
  let text = "";
  for (; rest > 0n; rest /= 58n) text = ALPHABET.charAt(Number(rest % 58n)) + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return "1".repeat(zeros === -1 ? bytes.length : zeros) + text;
}

/** The bytes of a base58 text of exactly `length` bytes; `undefined` for anything else. */
export function fromBase58(text: string, length: number): Uint8Array | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  let rest = 0n;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit === -1) return undefined;
    rest = rest * 58n + BigInt(digit);
  }
  const bytes = new Uint8Array(length);
  for (let at = length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  // One spelling for one value: another number of leading ones is another length.
  return rest === 0n && toBase58(bytes) === text ? bytes : undefined;
}
