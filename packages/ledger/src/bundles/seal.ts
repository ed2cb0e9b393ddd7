import { sha256Hex, utf8 } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { BUNDLE_BYTES_MAX, prefixed } from "@darkmatter/proof";
import { ledgerError } from "../errors.ts";

/** A bundle's canon-1 text from those of its members, with its signature and its hash. @throws BUNDLE_TOO_LARGE */
export function sealed(
  signer: Signer,
  members: Readonly<Record<string, string>>,
): { readonly text: string; readonly exportHash: string } {
  const signature = signer.sign(`darkmatter.export.v1\n${sha256Hex(objectText(members))}`);
  const signed = { ...members, export_sig: JSON.stringify(signature) };
  const exportHash = prefixed(sha256Hex(objectText(signed)));
  const text = objectText({ ...signed, export_hash: JSON.stringify(exportHash) });
  // A character takes three bytes at most (a pair of them, four): only a long text has to be counted.
  const mayBeTooLarge = 3 * text.length > BUNDLE_BYTES_MAX;
  if (mayBeTooLarge && utf8(text).length > BUNDLE_BYTES_MAX) throw ledgerError("BUNDLE_TOO_LARGE");
  return { text, exportHash };
}

/** canon-1 of an object whose names are ASCII. */
function objectText(members: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${sorted.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}
