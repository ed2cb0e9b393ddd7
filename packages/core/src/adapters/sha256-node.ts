import { createHash, hash } from "node:crypto";

/** SHA-256 of UTF-8 text or bytes, as bare lower-case hex: the `H` of the specifications. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** SHA-256 of UTF-8 text or bytes: 32 bytes. */
export function sha256(data: string | Uint8Array): Uint8Array {
  return hash("sha256", data, "buffer");
}

/** The same of bytes that lie in several pieces, which need not be put together. */
export function sha256HexOf(pieces: Iterable<Uint8Array>): string {
  const running = createHash("sha256");
  for (const piece of pieces) running.update(piece);
  return running.digest("hex");
}

/** The same of what comes in pieces, one after another. */
export function runningSha256(): { update(data: string | Uint8Array): void; hex(): string } {
  const running = createHash("sha256");
  return { update: (data) => void running.update(data), hex: () => running.digest("hex") };
}
