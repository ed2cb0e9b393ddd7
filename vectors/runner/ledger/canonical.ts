import {
  canon1,
  canon1OfText,
  canonE,
  hasCode,
  type Json,
  legacyText,
  readExactObject,
  sha256Hex,
} from "@darkmatter/core";
import { attestedHash } from "@darkmatter/proof";
import { type Outcome, ran } from "../outcome.ts";

interface CanonicalDocument {
  readonly cases: ReadonlyArray<{
    readonly note: string;
    readonly json: string;
    readonly canonical: string;
    readonly payload_hash: string;
    readonly attestation: { readonly canonical: string; readonly hash: string };
    readonly legacy_replacer: { readonly text: string; readonly payload_hash: string };
  }>;
  readonly rejects: ReadonlyArray<{ readonly reject: string; readonly note: string; readonly json: string }>;
}

/** The canonical texts of a payload and what is hashed of it, and payloads that are refused (ledger.md 2.1 to 2.6). */
export async function* canonical(document: Json): AsyncIterable<Outcome> {
  const { cases, rejects } = document as unknown as CanonicalDocument;
  for (const one of cases) {
    yield ran(one.note, (found) => {
      const value = readExactObject(one.json);
      found.equal("canon-1", canon1(value), one.canonical);
      found.equal("canon-1 from the text", canon1OfText(one.json), one.canonical);
      found.equal("payload hash", sha256Hex(canon1(value)), one.payload_hash);
      found.equal("canon-E", canonE(value), one.attestation.canonical);
      found.equal("attested hash", attestedHash(value), one.attestation.hash);
      found.equal("legacy text", legacyText(value), one.legacy_replacer.text);
      found.equal("legacy hash", sha256Hex(legacyText(value)), one.legacy_replacer.payload_hash);
    });
  }
  for (const { reject, note, json } of rejects) {
    yield ran(`refusing: ${note}`, (found) => {
      try {
        readExactObject(json);
        found.wrong(`was read: ${json}`);
      } catch (error) {
        found.holds(`refused as ${String(error)} instead of ${reject}`, hasCode(error, reject));
      }
    });
  }
}
