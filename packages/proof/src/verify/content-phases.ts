import { canonicalJson, type ExactJson, type Json, sha256Hex, writeExactJson } from "@darkmatter/core";
import { fieldCommitment } from "../commitment.ts";
import { type SignedMessage, signedMessageText } from "../message-signatures.ts";
import { type TakenReceipt, takenReceiptOf, verifyReceipt } from "../receipt.ts";
import { inForm, isObject, type Opened, type Said } from "./disclosed.ts";
import { hash, signature } from "./forms.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { closedObject, oneOf, orNull, type Read, text } from "./reader.ts";
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
        [...payload.fields.keys()].filter((name) => !disclosed.has(name)),
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
      said.payload.fields.get(name) === fieldCommitment({ salt, name, value }),
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

const signedForm: Read<SignedMessage> = closedObject({
  scheme: oneOf("dm_sig", "signature_hex", "reply"),
  from: hash,
  to: orNull(hash),
  timestamp: text,
  webhook: orNull(text),
  content_hash: hash,
  metadata_hash: orNull(hash),
  signature,
});

export function messageSignaturesPhase({ bundle, said, opened, signatures }: PhaseContext): Phase {
  const tally = createTally("message_signatures", "signature", "no message in it is signed");
  return {
    whole() {
      const agentId = bundle.node?.log.slice("mesh/".length) ?? "";
      for (const one of said) {
        if (one.payload.fields.has("signed") && !one.disclosed.has("signed")) tally.leftOut("stay closed");
      }
      for (const { order, said: one, name, value } of opened) {
        if (!one || name !== "signed") continue;
        const { id } = one.step.passport;
        const signed = inForm(signedForm, value);
        const reason = typeof signed === "string" ? `signed: ${signed}` : signedReason(signed, one, agentId);
        if (typeof signed === "string" || reason !== undefined) {
          tally.judge(order, id, reason);
          continue;
        }
        const content = contentOf(one, signed);
        if (signed.scheme !== "dm_sig" && content === undefined) {
          tally.leftOut("need a content that stays closed");
          continue;
        }
        const signedText = signedMessageText(signed, one.payload.message_id ?? "", content);
        if (signedText === undefined) tally.judge(order, id, "a line of the signed text holds a line break");
        else
          signatures.start(signed.from, signedText, signed.signature, (valid) =>
            tally.judge(order, id, valid ? undefined : "the sender's signature does not hold"),
          );
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
  const { content_hash, from, metadata_hash, scheme, to, webhook } = signed;
  const covers = [to, webhook, metadata_hash];
  const isFull = scheme === "dm_sig";
  const words = disclosed.get(scheme === "reply" ? "response" : "content");
  const metadata = disclosed.get("metadata");
  return firstReason(
    [covers.every((one) => (one !== null) === isFull), "its members are not those of its scheme"],
    [
      payload.act === (scheme === "reply" ? "message.answered" : "message.received"),
      `a signature of scheme ${scheme} does not belong to this act`,
    ],
    [payload.message_id !== undefined, "the commit names no message"],
    [from === payload.peer, "it is signed by another agent than the peer"],
    [to === null || to === agentId, "it is addressed to another agent"],
    [
      words === undefined || (typeof words === "string" && sha256Hex(words) === content_hash),
      "the disclosed content is not what was signed",
    ],
    [
      metadata === undefined || metadata_hash === null || jcsHash(metadata) === metadata_hash,
      "the disclosed metadata are not what was signed",
    ],
    [
      metadata === undefined || namesPeerCommit(metadata, payload.peer_commit),
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

export function receiptsPhase({ said, opened, signatures }: PhaseContext): Phase {
  const tally = createTally("receipts", "receipt", "there is none");
  return {
    whole() {
      const sent = sentContents(said);
      const given = new Set<string>();
      for (const one of said) {
        if (one.payload.fields.has("receipt") && !one.disclosed.has("receipt")) tally.leftOut("stay closed");
      }
      for (const { order, said: one, name, value } of opened) {
        if (!one || name !== "receipt") continue;
        const { id } = one.step.passport;
        const receipt = takenReceiptOf(value);
        const reason = receipt
          ? receiptReason(receipt, one, sent, given)
          : "it has not the form of a receipt";
        if (!receipt || reason !== undefined) {
          tally.judge(order, id, reason);
          continue;
        }
        signatures.startOther(async (verify) => {
          const valid = await verifyReceipt(receipt, verify);
          tally.judge(order, id, valid ? undefined : "the receipt's signature does not hold");
        });
      }
    },
    report: tally.report,
  };
}

/** What contradicts a receipt before its signature is looked at. `given` are the rungs seen so far, by agent. */
function receiptReason(
  receipt: TakenReceipt,
  { payload }: Said,
  sent: SentContents,
  given: Set<string>,
): string | undefined {
  const { agent_id, commit, content_hash, message_id, rung } = receipt;
  const step = `${agent_id} ${rung}`;
  const isFirst = !given.has(step);
  given.add(step);
  return firstReason(
    [payload.act === "receipt.taken", "a receipt does not belong to this act"],
    [agent_id === payload.peer, "the receipt is another agent's than the peer's"],
    [message_id === payload.message_id, "the receipt is of another message"],
    [commit === (payload.peer_commit ?? null), "the receipt names another commit than peer_commit"],
    [(sent.get(message_id) ?? []).every((one) => one === content_hash), "the receipt is of another content"],
    [isFirst, `the agent gave a receipt "${rung}" before`],
  );
}

/** Hashes of what was disclosed as sent, by message id; `undefined` for what is no text. */
type SentContents = ReadonlyMap<string, readonly (string | undefined)[]>;

function sentContents(said: readonly Said[]): SentContents {
  const sent = new Map<string, (string | undefined)[]>();
  for (const { payload, disclosed } of said) {
    const content = disclosed.get("content");
    if (payload.act !== "message.sent" || payload.message_id === undefined || content === undefined) continue;
    const hashes = sent.get(payload.message_id) ?? [];
    hashes.push(typeof content === "string" ? sha256Hex(content) : undefined);
    sent.set(payload.message_id, hashes);
  }
  return sent;
}
