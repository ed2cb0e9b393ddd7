import { isJsonObject, type Json, reasonOf, sha256Hex } from "@darkmatter/core";
import { isSignature, receiptOf, type TakenReceipt, verifyReceipt } from "@darkmatter/proof";
import type { Write } from "@darkmatter/store";
import { shortId } from "../connections/connection.ts";
import { isBlocked } from "../connections/connections.store.ts";
import { meshError } from "../errors.ts";
import type { Arrivals } from "../messages/arrival.ts";
import type { SentMessage } from "../messages/message.ts";
import { readSent } from "../messages/sent.store.ts";
import type { Waiting } from "../messages/waiting.ts";
import type { MeshPorts } from "../ports.ts";
import { readUpdates } from "../webhooks/webhooks.store.ts";
import { holdersOf, RECEIPTS_MAX } from "./receipt.ts";
import { countReceiptsBesides, insertReceipt, readReceipt } from "./receipts.store.ts";

/** Keeping what others say became of our messages (mesh.md 22.2). */
export interface Taking {
  /**
   * Reads a receipt that `agentId` sent for a message of ours and checks that it is one.
   * Throws BAD_REQUEST for what is no receipt, FORBIDDEN for one that does not prove what it says.
   */
  verified(sent: SentMessage, agentId: string, value: Json | undefined): Promise<TakenReceipt>;
  /**
   * Keeps a verified receipt; one that was kept before is left as it is, and `false`. Throws FORBIDDEN for a blocked agent,
   * DUPLICATE when the agent said another thing of the same rung, TOO_MANY beyond 50 of one message by agents that
   * are not its targets.
   */
  take(tx: Write, receipt: TakenReceipt): Promise<boolean>;
  /** Those receipts among what targets answered that verify. What does not is reported: the message arrived. */
  believed(sent: SentMessage, answers: readonly ReceiptAnswer[]): Promise<TakenReceipt[]>;
  /** Whether a receipt proves that an agent has a message that we brought it for somebody else. */
  proves(
    value: Json | undefined,
    agentId: string,
    message: Pick<SentMessage, "messageId" | "content">,
  ): Promise<boolean>;
  /** Keeps what can be kept; what cannot is reported. */
  takeAll(tx: Write, receipts: readonly TakenReceipt[]): Promise<void>;
}

/** What an agent answered to our message as its receipt. */
export interface ReceiptAnswer {
  readonly agentId: string;
  readonly receipt: Json | undefined;
}

export function createTaking(
  { db, signer, verifier, journal, report }: MeshPorts,
  arrivals: Arrivals,
  waiting: Waiting,
  changed: () => void,
): Taking {
  const refuse = (text: string) => meshError("FORBIDDEN", text);
  const refused = (agentId: string, error: unknown) =>
    report("receipt.refused", { agent: shortId(agentId), reason: reasonOf(error) });

  async function verified(sent: SentMessage, agentId: string, value: Json | undefined) {
    if (isJsonObject(value) && !isSignature(value.sig)) throw refuse("A receipt must be signed.");
    const receipt = receiptOf(value ?? null);
    if (!receipt) throw meshError("BAD_REQUEST", "Invalid field: receipt is not a receipt of a known rung.");
    if (receipt.agent_id !== agentId) throw refuse("The receipt is another agent's.");
    if (receipt.message_id !== sent.messageId) throw refuse("The receipt is of another message.");
    const holders = holdersOf(sent, await readUpdates(db, sent.messageId), signer.agentId);
    const contentHash = sha256Hex(sent.content);
    for (const from of holders.get(agentId) ?? []) {
      const taken = { ...receipt, from_agent_id: from, content_hash: contentHash };
      if (await verifyReceipt(taken, verifier.verify)) return taken;
    }
    throw refuse("Invalid receipt — it must be signed by an agent that has the message, over its content.");
  }

  /** Why a receipt cannot be kept; `known` when it was kept before. */
  async function obstacle(tx: Write, receipt: TakenReceipt): Promise<Error | "known" | undefined> {
    const { agent_id: agentId, message_id: messageId, rung, at, commit, detail } = receipt;
    if (await isBlocked(tx, agentId)) return refuse("Not accepted.");
    const sent = await readSent(tx, messageId);
    // Erased since the receipt was verified: by its hash of the content guesses at that could be tested.
    if (!sent || sha256Hex(sent.content) !== receipt.content_hash)
      return refuse("The message it is for is gone.");
    const before = await readReceipt(tx, messageId, agentId, rung);
    if (before) {
      const same = before.at === at && before.commit === commit && before.detail === detail;
      return same ? "known" : meshError("DUPLICATE", "This agent said something else of this rung before.");
    }
    if (sent.targets.includes(agentId)) return undefined;
    const isFull = (await countReceiptsBesides(tx, messageId, sent.targets)) >= RECEIPTS_MAX;
    return isFull ? meshError("TOO_MANY", "Too many receipts for this message") : undefined;
  }

  async function keep(tx: Write, receipt: TakenReceipt): Promise<void> {
    const { agent_id: agentId, message_id: messageId, commit } = receipt;
    await insertReceipt(tx, receipt);
    await arrivals.note(tx, messageId, agentId);
    await journal.append(tx, {
      act: "receipt.taken",
      trace: messageId,
      peer: agentId,
      messageId,
      peerCommit: commit ?? undefined,
      fields: { receipt: { ...receipt } },
    });
    tx.afterCommit(() => {
      waiting.wake(messageId);
      changed();
    });
  }

  return {
    verified,

    async take(tx, receipt) {
      const why = await obstacle(tx, receipt);
      if (why === undefined) await keep(tx, receipt);
      else if (why !== "known") throw why;
      return why === undefined;
    },

    async believed(sent, answers) {
      const receipts: TakenReceipt[] = [];
      for (const { agentId, receipt } of answers) {
        if (receipt === undefined) continue;
        await verified(sent, agentId, receipt).then(
          (good) => receipts.push(good),
          (error: unknown) => refused(agentId, error),
        );
      }
      return receipts;
    },

    async proves(value, agentId, { messageId, content }) {
      const receipt = isJsonObject(value) && isSignature(value.sig) ? receiptOf(value) : undefined;
      if (receipt?.agent_id !== agentId || receipt.message_id !== messageId) return false;
      const taken = { ...receipt, from_agent_id: signer.agentId, content_hash: sha256Hex(content) };
      return verifyReceipt(taken, verifier.verify);
    },

    async takeAll(tx, receipts) {
      for (const receipt of receipts) {
        const why = await obstacle(tx, receipt);
        if (why === undefined) await keep(tx, receipt);
        else if (why !== "known") tx.afterCommit(() => refused(receipt.agent_id, why));
      }
    },
  };
}
