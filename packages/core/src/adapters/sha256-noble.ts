import { sha256 as digest } from "@noble/hashes/sha2.js";
import { toHex, utf8 } from "../bytes.ts";

/** As in Node, where there is no `node:crypto` and no time to wait for Web Crypto. */
export function sha256(data: string | Uint8Array): Uint8Array {
  return digest(typeof data === "string" ? utf8(data) : data);
}

export function sha256Hex(data: string | Uint8Array): string {
  return toHex(sha256(data));
}

export function sha256HexOf(pieces: Iterable<Uint8Array>): string {
  const running = digest.create();
  for (const piece of pieces) running.update(piece);
  return toHex(running.digest());
}

export function runningSha256(): { update(data: string | Uint8Array): void; hex(): string } {
  const running = digest.create();
  return {
    update: (data) => void running.update(typeof data === "string" ? utf8(data) : data),
    hex: () => toHex(running.digest()),
  };
}
