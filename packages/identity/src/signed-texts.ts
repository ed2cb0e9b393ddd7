import { canonicalJson, type JsonObject, sha256Hex } from "@darkmatter/core";
import { identityError } from "./errors.ts";

import type { Signer } from "./signer.ts";

/**
 * The texts that are signed (mesh.md 3 and 22.1). Fields are joined by LF and not escaped, so each builder answers
 * `undefined` when a field that may hold no LF holds one, and when any field is not well-formed Unicode (it would
 * be signed as another text). A verifier refuses then; a signer uses `signText`, which throws.
 */
export type SignedText = string | undefined;

/** Signs a built text. @throws SIGNED_FIELD_REFUSED */
export function signText(signer: Signer, text: SignedText): string {
  if (text === undefined) throw identityError("SIGNED_FIELD_REFUSED");
  return signer.sign(text);
}

/** `fields` may hold no LF, `last` may. */
function joined(fields: readonly string[], last: string): SignedText {
  const text = [...fields, last].join("\n");
  return fields.some((field) => field.includes("\n")) || !text.isWellFormed() ? undefined : text;
}

function joinedLines(...fields: readonly string[]): SignedText {
  return fields.at(-1)?.includes("\n") ? undefined : joined(fields.slice(0, -1), fields.at(-1) ?? "");
}

export interface MessageFields {
  readonly from: string;
  readonly messageId: string;
  readonly timestamp: string;
  readonly content: string;
}

/** A direct, forwarded or broadcast message: `signature_hex`. */
export function messageText({ from, messageId, timestamp, content }: MessageFields): SignedText {
  return joined([from, messageId, timestamp], content);
}

export interface MessageDigestFields extends MessageFields {
  readonly to: string;
  /** As it travels; a message without metadata signs `{}`. */
  readonly metadata: JsonObject;
  readonly webhook: string;
}

/** What the message signature leaves out, covered: `dm_sig` (mesh.md 22.1). */
export function messageDigestText(message: MessageDigestFields): SignedText {
  const { from, messageId, timestamp, to, content, metadata, webhook } = message;
  const canonical = canonicalOrRefused(metadata);
  if (canonical === undefined || !content.isWellFormed()) return undefined;
  const hashes = [sha256Hex(content), sha256Hex(canonical)];
  return joinedLines("darkmatter.message.v1", from, messageId, timestamp, to, ...hashes, webhook);
}

/** RFC 8785 has no form for lone surrogates and for numbers that are not finite. */
function canonicalOrRefused(metadata: JsonObject): string | undefined {
  try {
    const text = canonicalJson(metadata);
    return text.isWellFormed() ? text : undefined;
  } catch {
    return undefined;
  }
}

/** A webhook's `response`; `messageId` is the one in the URL. */
export function replyText(reply: {
  readonly agentId: string;
  readonly messageId: string;
  readonly timestamp: string;
  readonly response: string;
}): SignedText {
  return joined([reply.agentId, reply.messageId, reply.timestamp], reply.response);
}

export function peerUpdateText(update: {
  readonly agentId: string;
  readonly newUrl: string;
  readonly timestamp: string;
}): SignedText {
  return joinedLines("peer_update", update.agentId, update.newUrl, update.timestamp);
}

export function relayPollText(poll: { readonly agentId: string; readonly timestamp: string }): SignedText {
  return joinedLines("relay_poll", poll.agentId, poll.timestamp);
}

/** `sdp` is the exact text, CRLF included. */
export function sdpText(offer: { readonly agentId: string; readonly sdp: string }): SignedText {
  return joined(["darkmatter.sdp.v1", offer.agentId], offer.sdp);
}

/** Content precedes the tags, so the last line alone is the tags: they may hold no LF, the content may. */
export function shardText(shard: {
  readonly shardId: string;
  readonly authorId: string;
  readonly content: string;
  readonly tags: readonly string[];
}): SignedText {
  const tags = [...shard.tags].sort(byCodePoint).join(",");
  const text = joined(["darkmatter.shard.v1", shard.shardId, shard.authorId], `${shard.content}\n${tags}`);
  return tags.includes("\n") ? undefined : text;
}

/**
 * What the shard signature leaves out, covered: a shard's `dm_sig`. `shard` is everything else it says, as it travels;
 * `updatedAt` lets a mirror tell a renewal by the author from an old copy that somebody sends again.
 */
export function shardDigestText(shard: {
  readonly shardId: string;
  readonly authorId: string;
  readonly updatedAt: string;
  readonly shard: JsonObject;
}): SignedText {
  const canonical = canonicalOrRefused(shard.shard);
  if (canonical === undefined) return undefined;
  const { shardId, authorId, updatedAt } = shard;
  return joinedLines("darkmatter.shard.v2", shardId, authorId, updatedAt, sha256Hex(canonical));
}

/** The order of code points is that of UTF-8 bytes; JavaScript's own puts astral characters before U+E000. */
function byCodePoint(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one, "utf8"), Buffer.from(other, "utf8"));
}

/** `sentAt` is Unix time in whole seconds. */
export function lanBeaconText(beacon: {
  readonly agentId: string;
  readonly port: number;
  readonly sentAt: number;
}): SignedText {
  return joinedLines("darkmatter.lan_beacon.v1", beacon.agentId, `${beacon.port}`, `${beacon.sentAt}`);
}

/** A grant for a delegated agent (mesh.md 22.7). Times are ISO 8601. */
export function grantText(grant: {
  readonly agentId: string;
  readonly childPublicKey: string;
  readonly scope: JsonObject;
  readonly notBefore: string;
  readonly notAfter: string;
}): SignedText {
  const scope = canonicalOrRefused(grant.scope);
  if (scope === undefined) return undefined;
  const { agentId, childPublicKey, notBefore, notAfter } = grant;
  return joinedLines("darkmatter.grant.v1", agentId, childPublicKey, scope, notBefore, notAfter);
}

export function challengeText(challengeHex: string): SignedText {
  return joinedLines("darkmatter.challenge_response.v1", challengeHex);
}

/** `bundleHash` is the SHA-256 of the code bundle, hex. */
export function genomeText(genome: { readonly version: string; readonly bundleHash: string }): SignedText {
  return joinedLines("darkmatter.genome.v1", genome.version, genome.bundleHash);
}

/** How an AntiMatter signal ended (mesh.md 13). */
export function antimatterResultText(result: {
  readonly signalId: string;
  readonly destinationWallet: string;
  readonly resolvedBy: string;
  readonly resolution: string;
  readonly timestamp: string;
}): SignedText {
  const { signalId, destinationWallet, resolvedBy, resolution, timestamp } = result;
  return joinedLines("antimatter_result", signalId, destinationWallet, resolvedBy, resolution, timestamp);
}

/** That an AntiMatter signal was handed on, and to whom (docs/antimatter.md). */
export function antimatterHandoffText(handoff: {
  readonly signalId: string;
  readonly from: string;
  readonly to: string;
  readonly callbackUrl: string;
}): SignedText {
  const { signalId, from, to, callbackUrl } = handoff;
  return joinedLines("darkmatter.antimatter_handoff.v1", signalId, from, to, callbackUrl);
}

/** Proves that a purchase of a pool's balance is its consumer's own. `amount` in plain decimal digits: `0.025`. */
export function poolBuyText(purchase: {
  readonly poolId: string;
  readonly consumer: string;
  readonly amount: string;
  readonly paymentToken: string;
  readonly timestamp: string;
}): SignedText {
  const { poolId, consumer, amount, paymentToken, timestamp } = purchase;
  return joinedLines("darkmatter.pool_buy.v1", poolId, consumer, amount, paymentToken, timestamp);
}
