import { sha256Hex } from "@darkmatter/core";
import { type TakenReceipt, takenReceiptOf, verifyReceipt } from "../receipt.ts";
import type { Said } from "./disclosed.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

export function receiptsPhase({ said, signatures }: PhaseContext): Phase {
  const tally = createTally("receipts", "receipt", "there is none");
  return {
    *parts() {
      const sent = sentContents(said);
      const given = new Set<string>();
      for (const { at, disclosed, payload, step } of said) {
        const { id } = step.passport;
        const value = disclosed.get("receipt");
        const receipt = value === undefined ? undefined : takenReceiptOf(value);
        const reason = receipt && receiptReason(receipt, payload, sent, given);
        if (value === undefined) tally.leftOut("stay closed", payload?.fields.has("receipt") ? 1 : 0);
        else if (!receipt) tally.judge(at, id, "it has not the form of a receipt");
        else if (reason !== undefined) tally.judge(at, id, reason);
        else
          signatures.startOther(async (verify) => {
            const valid = await verifyReceipt(receipt, verify);
            tally.judge(at, id, valid ? undefined : "the receipt's signature does not hold");
          });
        yield;
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
