import { parseTime } from "@darkmatter/core";

const HASH = /^[0-9a-f]{64}$/;
const SIGNATURE = /^[0-9a-f]{128}$/;
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** A bare SHA-256 or a public key: 64 lower-case hex characters. */
export function isHash(value: unknown): value is string {
  return typeof value === "string" && HASH.test(value);
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
