import { type ExactJson, sha256Hex } from "@darkmatter/core";
import { type SignedMessage, signedMessageText } from "../message-signatures.ts";
import { inForm, isObject, jcsHash, type Said } from "./disclosed.ts";
import { hash, signature } from "./forms.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { closedObject, constant, oneOf, type Read, textOf } from "./reader.ts";
import { createTally } from "./tally.ts";

const line = textOf("a text without line breaks", (value) => !value.includes("\n"));
const nothing = constant(null);
const signedByHashes: Read<SignedMessage> = closedObject({
  scheme: constant("dm_sig"),
  from: hash,
  to: hash,
  timestamp: line,
  webhook: line,
  content_hash: hash,
  metadata_hash: hash,
  signature,
});
/** Schemes that cover the words themselves, and neither recipient, webhook nor metadata. */
const signedByWords: Read<SignedMessage> = closedObject({
  scheme: oneOf("signature_hex", "reply"),
  from: hash,
  to: nothing,
  timestamp: line,
  webhook: nothing,
  content_hash: hash,
  metadata_hash: nothing,
  signature,
});
const signedForm: Read<SignedMessage> = (value) => {
  const isByHashes = value !== undefined && isObject(value) && value.get("scheme") === "dm_sig";
  return (isByHashes ? signedByHashes : signedByWords)(value);
};

export function messageSignaturesPhase({ bundle, said, signatures }: PhaseContext): Phase {
  const tally = createTally("message_signatures", "signature", "no message in it is signed");
  const agentId = bundle.node?.log.slice("mesh/".length) ?? "";

  function judge(one: Said, signed: SignedMessage) {
    const { at, payload, step } = one;
    const { id } = step.passport;
    const reason = signedReason(signed, one, agentId);
    if (reason !== undefined) return tally.judge(at, id, reason);
    const content = contentOf(one, signed);
    const text = signedMessageText(signed, payload?.message_id ?? "", content);
    if (text === undefined && content === undefined) return tally.leftOut("need a content that stays closed");
    if (text === undefined) return tally.judge(at, id, "there is no text that it could have signed");
    signatures.start(signed.from, text, signed.signature, (valid) =>
      tally.judge(at, id, valid ? undefined : "the sender's signature does not hold"),
    );
  }

  return {
    step({ passport }, at) {
      const one = said[at];
      const value = one?.disclosed.get("signed");
      if (!one || value === undefined) {
        if (one?.payload?.fields.has("signed")) tally.leftOut("stay closed");
        return;
      }
      const signed = inForm(signedForm, value);
      if (typeof signed === "string") tally.judge(at, passport.id, `signed: ${signed}`);
      else judge(one, signed);
    },
    report: tally.report,
  };
}

/** The disclosed words that a signature or its hash covers. */
function contentOf({ disclosed }: Said, { scheme }: SignedMessage): string | undefined {
  const content = disclosed.get(scheme === "reply" ? "response" : "content");
  return typeof content === "string" ? content : undefined;
}

/** What contradicts a `signed` before its signature is looked at. */
function signedReason(signed: SignedMessage, said: Said, agentId: string): string | undefined {
  const { payload, disclosed } = said;
  const { content_hash, from, metadata_hash, scheme, to } = signed;
  const words = disclosed.get(scheme === "reply" ? "response" : "content");
  const metadata = disclosed.get("metadata");
  return firstReason(
    [
      payload?.act === (scheme === "reply" ? "message.answered" : "message.received"),
      `a signature of scheme ${scheme} does not belong to this act`,
    ],
    [payload?.message_id?.includes("\n") === false, "the commit names no message"],
    [from === payload?.peer, "it is signed by another agent than the peer"],
    [to === null || to === agentId, "it is addressed to another agent"],
    [
      words === undefined || (typeof words === "string" && sha256Hex(words) === content_hash),
      "the disclosed content is not what was signed",
    ],
    [
      metadata === undefined ||
        (isObject(metadata) && (metadata_hash === null || jcsHash(metadata) === metadata_hash)),
      "the disclosed metadata are not what was signed",
    ],
    [
      metadata === undefined || namesPeerCommit(metadata, payload?.peer_commit),
      "metadata.commit is not peer_commit",
    ],
  );
}

const COMMIT = /^[0-9a-f]{64}$/;

/** A sender names its commit in the metadata; anything but a hash there names none. */
function namesPeerCommit(metadata: ExactJson, peerCommit: string | undefined): boolean {
  const named = isObject(metadata) ? metadata.get("commit") : undefined;
  return (typeof named === "string" && COMMIT.test(named) ? named : undefined) === peerCommit;
}
