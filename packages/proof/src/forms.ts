import { parseTime } from "@darkmatter/core";

const HASH_CHARACTERS = 64;
/** 1 for each code of a lower-case hex digit. */
const HEX_DIGIT = Uint8Array.from({ length: 128 }, (_, code) => +/[0-9a-f]/.test(String.fromCharCode(code)));
const SIGNATURE = /^[0-9a-f]{128}$/;
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** A bare SHA-256 or a public key: 64 lower-case hex characters. */
export function isHash(value: unknown): value is string {
  if (typeof value !== "string" || value.length !== HASH_CHARACTERS) return false;
  // By table: hashes are most of a bundle, and a regular expression takes twice as long.
  let isHex = 1;
  for (let at = 0; at < HASH_CHARACTERS; at++) isHex &= HEX_DIGIT[value.charCodeAt(at)] ?? 0;
  return isHex === 1;
}

/** An Ed25519 signature: 128 lower-case hex characters. */
export function isSignature(value: unknown): value is string {
  return typeof value === "string" && SIGNATURE.test(value);
}

/** A time of the ledger: `YYYY-MM-DDTHH:MM:SSZ`, of a real day in the years 0001 to 9999, no leap second. */
export function isSeconds(value: unknown): value is string {
  return (
    typeof value === "string" &&
    SECONDS.test(value) &&
    !value.startsWith("0000") &&
    parseTime(value) !== undefined
  );
}
