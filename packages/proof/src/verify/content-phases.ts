import { canonicalJson, type ExactJson, type Json, sha256Hex, writeExactJson } from "@darkmatter/core";
import { fieldCommitment } from "../commitment.ts";
import { type SignedMessage, signedMessageText } from "../message-signatures.ts";
import { type TakenReceipt, takenReceiptOf, verifyReceipt } from "../receipt.ts";
import { inForm, isObject, type Opened, type Said } from "./disclosed.ts";
import { hash, signature } from "./forms.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { closedObject, constant, oneOf, type Read, textOf } from "./reader.ts";
import { createTally } from "./tally.ts";

export function disclosuresPhase({ said, opened: all }: PhaseContext): Phase {
  const tally = createTally(
    "disclosures",
    "field opened",
    "only a node's bundle has fields",
    "fields opened",
  );
  return {
    whole() {
      let before: Opened | undefined;
      for (const opened of all) {
        tally.judge(
          opened.order,
          opened.said?.step.passport.id ?? opened.commit,
          openingReason(opened, before),
        );
        before = opened;
      }
      const closed = said.flatMap(({ payload, disclosed }) =>
        [...(payload?.fields.keys() ?? [])].filter((name) => !disclosed.has(name)),
      );
      tally.leftOut("stay closed", closed.length);
    },
    report: tally.report,
  };
}

function openingReason({ said, name, salt, value }: Opened, before: Opened | undefined): string | undefined {
  if (!said) return "no commit of this bundle has the hash that a disclosure names";
  return firstReason(
    [
      said.payload?.fields.get(name) === fieldCommitment({ salt, name, value }),
      `the disclosed ${JSON.stringify(name)} is not what was committed to`,
    ],
    [!before || isLater({ said, name }, before), "disclosures are repeated or out of order"],
  );
}

/** In the order of commits, then of names by code point. */
function isLater({ said, name }: Pick<Opened, "said" | "name">, before: Opened): boolean {
  const [at, atBefore] = [said?.at ?? -1, before.said?.at ?? -1];
  if (at !== atBefore) return at > atBefore;
  const [points, pointsBefore] = [[...name], [...before.name]];
  const first = points.findIndex((point, index) => point !== pointsBefore[index]);
  if (first < 0) return false;
  const other = pointsBefore[first];
  return other === undefined || (points[first]?.codePointAt(0) ?? 0) > (other.codePointAt(0) ?? 0);
}

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
  return {
    whole() {
      const agentId = bundle.node?.log.slice("mesh/".length) ?? "";
      for (const one of said) {
        const { at, disclosed, payload, step } = one;
        const { id } = step.passport;
        const value = disclosed.get("signed");
        if (value === undefined) {
          if (payload?.fields.has("signed")) tally.leftOut("stay closed");
          continue;
        }
        const signed = inForm(signedForm, value);
        const reason = typeof signed === "string" ? `signed: ${signed}` : signedReason(signed, one, agentId);
        if (typeof signed === "string" || reason !== undefined) {
          tally.judge(at, id, reason);
          continue;
        }
        const content = contentOf(one, signed);
        const text = signedMessageText(signed, payload?.message_id ?? "", content);
        if (text !== undefined) {
          signatures.start(signed.from, text, signed.signature, (valid) =>
            tally.judge(at, id, valid ? undefined : "the sender's signature does not hold"),
          );
        } else if (content === undefined) tally.leftOut("need a content that stays closed");
        else tally.judge(at, id, "there is no text that it could have signed");
      }
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

/** H(RFC 8785 of a value), for which numbers are doubles. */
function jcsHash(value: ExactJson): string | undefined {
  const json = JSON.parse(writeExactJson(value)) as Json;
  return isAllFinite(json) ? sha256Hex(canonicalJson(json)) : undefined;
}

/** An integer may be too large for a double, of which RFC 8785 says nothing. */
function isAllFinite(value: Json): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isAllFinite);
}

export function receiptsPhase({ said, signatures }: PhaseContext): Phase {
  const tally = createTally("receipts", "receipt", "there is none");
  return {
    whole() {
      const sent = sentContents(said);
      const given = new Set<string>();
      for (const { at, disclosed, payload, step } of said) {
        const { id } = step.passport;
        const value = disclosed.get("receipt");
        if (value === undefined) {
          if (payload?.fields.has("receipt")) tally.leftOut("stay closed");
          continue;
        }
        const receipt = takenReceiptOf(value);
        const reason = receipt
          ? receiptReason(receipt, payload, sent, given)
          : "it has not the form of a receipt";
        if (!receipt || reason !== undefined) {
          tally.judge(at, id, reason);
          continue;
        }
        signatures.startOther(async (verify) => {
          const valid = await verifyReceipt(receipt, verify);
          tally.judge(at, id, valid ? undefined : "the receipt's signature does not hold");
        });
      }
    },
    report: tally.report,
  };
}

/** What contradicts a receipt before its signature is looked at. `given` are the rungs seen so far, by agent. */
function receiptReason(
  receipt: TakenReceipt,
  payload: Said["payload"],
  sent: ReadonlySet<string | undefined>,
  given: Set<string>,
): string | undefined {
  const { agent_id, commit, content_hash, message_id, rung } = receipt;
  const step = `${agent_id} ${rung}`;
  const isFirst = !given.has(step);
  given.add(step);
  return firstReason(
    [payload?.act === "receipt.taken", "a receipt does not belong to this act"],
    [agent_id === payload?.peer, "the receipt is another agent's than the peer's"],
    [message_id === payload?.message_id, "the receipt is of another message"],
    [commit === (payload?.peer_commit ?? null), "the receipt names another commit than peer_commit"],
    [[...sent].every((one) => one === content_hash), "the receipt is of another content"],
    [isFirst, `the agent gave a receipt "${rung}" before`],
  );
}

/** Hashes of what was disclosed as sent: one, in a conversation about one message. `undefined` for what is no text. */
function sentContents(said: readonly Said[]): ReadonlySet<string | undefined> {
  const contents = said.flatMap(({ payload, disclosed }) => {
    const content = disclosed.get("content");
    return payload?.act === "message.sent" && content !== undefined ? [content] : [];
  });
  return new Set(contents.map((content) => (typeof content === "string" ? sha256Hex(content) : undefined)));
}
