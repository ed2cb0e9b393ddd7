import { DarkMatterError, type MemberText, readMemberTexts } from "@darkmatter/core";
import { bare, envelopeText, envelopeTime } from "@darkmatter/proof";
import { secondsTime } from "../../times.ts";
import { serverError } from "../errors.ts";
import type { CommitDraft } from "./commit.ts";
import { lineOf, type Members } from "./commit-body.ts";
import type { SentClaims } from "./commit-request.ts";
import { draftEnvelope } from "./new-commit.ts";

const KEY_ID = /^[A-Za-z0-9._-]{1,100}$/;

/** What of a client's envelope goes into the server's. */
export interface EnvelopeFacts {
  readonly timestamp: string;
  readonly keyId: string;
  readonly warnings: readonly string[];
}

/** @throws invalid_timestamp, invalid_request */
export function envelopeFacts(envelope: MemberText | undefined, acceptedMs: number): EnvelopeFacts {
  const members: Members = envelope ? readMemberTexts(envelope.text).members : new Map();
  const keyId = lineOf(members, "key_id") ?? "default";
  if (!KEY_ID.test(keyId))
    throw serverError("invalid_request", "`envelope.key_id` has 1 to 100 of A-Z a-z 0-9 . _ -");
  const sent = members.get("timestamp");
  if (!sent || sent.canon1 === "null") return { timestamp: secondsTime(acceptedMs), keyId, warnings: [] };
  const read = envelopeTime(timestampOf(members));
  if (!read) throw serverError("invalid_timestamp");
  const warnings = read.warned ? ["timestamp: ends in +00:00Z, read as UTC"] : [];
  return { timestamp: read.time, keyId, warnings };
}

function timestampOf(members: Members): string {
  try {
    return lineOf(members, "timestamp") ?? "";
  } catch (error) {
    throw error instanceof DarkMatterError ? serverError("invalid_timestamp") : error;
  }
}

/** Whether all that was claimed is what the server computed; `null` when nothing was. */
export interface ClaimMatch {
  readonly isMatch: boolean | null;
  readonly warnings: readonly string[];
}

/** Compares a client's hashes and envelope with those of the draft. @throws hash_mismatch where it asked for that */
export function matchClaims(claims: SentClaims, draft: CommitDraft): ClaimMatch {
  const { payloadHash, integrityHash, envelope, isStrict } = claims;
  const differences: string[] = [];
  if (payloadHash !== undefined && hashIn(payloadHash) !== draft.payloadHash)
    differences.push("payload_hash");
  if (envelope) differences.push(...envelopeDifferences(envelope, draft));
  if (integrityHash !== undefined && hashIn(integrityHash) !== draft.integrityHash)
    differences.push("integrity_hash");
  const warnings = differences.map((what) => `hash_mismatch: ${what}`);
  if (isStrict && warnings.length > 0) throw serverError("hash_mismatch", `${warnings.join("; ")}.`);
  const isAnything = payloadHash !== undefined || integrityHash !== undefined || envelope !== undefined;
  return { isMatch: isAnything ? differences.length === 0 : null, warnings };
}

/** Bare or prefixed. */
const hashIn = (claimed: string) => bare(claimed) ?? claimed;

/** Names of members in which an envelope is not the draft's. */
function envelopeDifferences(envelope: MemberText, draft: CommitDraft): string[] {
  const ours = draftEnvelope(draft);
  if (envelope.canon1 === envelopeText(ours)) return [];
  const theirs = readMemberTexts(envelope.text).members;
  const names = new Set([...Object.keys(ours), ...theirs.keys()]);
  return [...names]
    .filter((name) => theirs.get(name)?.canon1 !== jsonOf((ours as unknown as Record<string, string>)[name]))
    .map((name) => (name in ours ? `envelope.${name}` : "envelope has other members"));
}

const jsonOf = (text: string | undefined) => (text === undefined ? undefined : JSON.stringify(text));
