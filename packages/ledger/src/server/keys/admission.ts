import { fromHex, isAdmissibleKey, toHex } from "@darkmatter/core";
import { keyOfPem } from "@darkmatter/proof";
import { z } from "zod";
import { serverError } from "../errors.ts";

/** A key's name, its caller's choice (ledger.md 1.1). */
export const KeyId = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, "is 1 to 100 of A-Z a-z 0-9 . _ -");

const KEY_BYTES = 32;

/** A public key as clients write it: unpadded base64url of 32 bytes. @throws key_invalid */
export function keyOfBase64Url(text: string): string {
  const bytes = Buffer.from(text, "base64url");
  // Written anew: the decoder skips what it does not know, and a PEM would pass for some key.
  const isExact = bytes.length === KEY_BYTES && bytes.toString("base64url") === text;
  return admitted(isExact ? toHex(bytes) : undefined);
}

/** A public key of 64 hex as unpadded base64url. */
export function base64UrlOf(publicKeyHex: string): string {
  return Buffer.from(fromHex(publicKeyHex) ?? []).toString("base64url");
}

/** A public key as SPKI PEM; line ends may be CR LF, and the last one missing. @throws key_invalid */
export function keyOfAnyPem(pem: string): string {
  return admitted(keyOfPem(`${pem.replaceAll("\r\n", "\n").trim()}\n`));
}

function admitted(publicKeyHex: string | undefined): string {
  if (publicKeyHex === undefined || !isAdmissibleKey(publicKeyHex)) throw serverError("key_invalid");
  return publicKeyHex;
}
