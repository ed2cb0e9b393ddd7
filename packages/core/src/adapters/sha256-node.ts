import { hash } from "node:crypto";

/** SHA-256 of UTF-8 text or bytes, as bare lower-case hex: the `H` of the specifications. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** SHA-256 of UTF-8 text or bytes: 32 bytes. */
export function sha256(data: string | Uint8Array): Uint8Array {
  return hash("sha256", data, "buffer");
}
