import { isoTime, type JsonObject, reasonOf } from "@darkmatter/core";
import { once, type Write } from "@darkmatter/store";
import { isTaskWebhook } from "../a2a/local-answers.ts";
import { type Connection, endpoint, speaks } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { isErased } from "../conversation/conversation.store.ts";
import { remember } from "../conversation/conversation.ts";
import { meshError } from "../errors.ts";
import type { MeshPorts } from "../ports.ts";
import type { Giving } from "../receipts/giving.ts";
import { authorOf } from "../receipts/receipt.ts";
import type { Callbacks, WebhookSource } from "../webhooks/callbacks.ts";
import type { QueuedCopy } from "./copy.ts";
import { ERASED } from "./erase.ts";
import type { InboxMessage } from "./message.ts";
import { deleteInbox, readForwards, readInbox, saveForwards } from "./messages.store.ts";
import type { CopyKey, PassedOn } from "./outbox.store.ts";
import type { Outbox } from "./outbox.ts";
import { ignoreUnlessForbidden } from "./reply.ts";
import { requireConnection } from "./send.ts";

export type ForwardOutcome = {
  readonly messageId: string;
  readonly hopsRemaining: number;
  /** `queued`: it waits, and goes out by itself. */
  readonly results: Array<{ agent_id: string; success: boolean; queued?: boolean; error?: string }>;
};

/** Passing a message on to agents that may know better; to several at once it is a fork (mesh.md 7.1). */
export interface Forwarding {
  /**
   * Passes a message of the inbox on under its own id, and tells its sender first. It leaves the inbox when a target
   * took it; for one that cannot be reached a copy waits.
   * Throws NOT_FOUND for a message that is not there or is closed, NOT_CONNECTED for a target that is not,
   * DUPLICATE for a target that had it before, unless forced.
   */
  forward(
    messageId: string,
    targets: readonly string[],
    options: { note: string | null; force: boolean; callId: string | undefined },
  ): Promise<ForwardOutcome>;
}

/** No other agent could bring its answer to such a caller. */
const ONLY_ANSWERED_HERE =
  "This message came by A2A: only you can answer it. Ask another agent in a new message, then reply with what it says.";

export function createForwarding(
  ports: MeshPorts,
  connections: Connections,
  callbacks: Callbacks,
  outbox: Outbox,
  giving: Giving,
  changed: () => void,
): Forwarding {
  const { db, signer, journal } = ports;
  const self = signer.agentId;

  async function drop(messageId: string, also?: (tx: Write) => Promise<void>): Promise<void> {
    await db.write(async (tx) => {
      if (await deleteInbox(tx, messageId)) await also?.(tx);
    });
    changed();
  }

  /** Asks the sender whether the message is still open and whether a target had it already. */
  async function requireOpen(
    message: InboxMessage,
    from: WebhookSource,
    targets: readonly Connection[],
    force: boolean,
  ) {
    const answer = await callbacks.ask(message.webhook, from).catch(ignoreUnlessForbidden);
    const state: JsonObject = answer?.status === 200 ? answer.body : {};
    if (state.status === "expired" || state.status === "responded") {
      await drop(message.messageId);
      const text = `Message is already ${state.status} (checked via webhook). Removed from queue.`;
      throw meshError("NOT_FOUND", text);
    }
    // A fork may name whoever brought the message among others, as the reference has it; alone it is a loop.
    const isLoop = (target: Connection) => targets.length === 1 && target.agentId === message.from;
    const visited = force
      ? undefined
      : targets.find((target) => isLoop(target) || had(target, message, state));
    if (visited) {
      const text = `Agent '${visited.agentId}' already had this message. Use force=true to send it there again.`;
      throw meshError("DUPLICATE", text);
    }
  }

  async function requireHops(message: InboxMessage, from: WebhookSource): Promise<void> {
    if (message.hopsRemaining > 0) return;
    await drop(message.messageId, (tx) => giving.give(tx, message, "expired", "no hops left"));
    const notice = { type: "expired", agent_id: self, note: "Message expired — no hops remaining." };
    await callbacks.post(message.webhook, from, notice).catch(ignoreUnlessForbidden);
    throw meshError("BAD_REQUEST", "Message expired — no hops remaining. Removed from queue.");
  }

  /**
   * One commit for each target, on disk before the first byte leaves; a target that is tried again keeps its own.
   * The hashes by target, null where our journal keeps no chain; `undefined` when the message is gone.
   */
  function journalled(message: InboxMessage, targets: readonly Connection[]) {
    const { messageId, from } = message;
    return db.write(async (tx) => {
      const before = await readForwards(tx, messageId);
      if (!before) return undefined;
      const commits = { ...before };
      for (const { agentId: peer } of targets) {
        if (peer in commits) continue;
        const event = { act: "message.forwarded", trace: messageId, peer, messageId, fields: { from } };
        commits[peer] = (await journal.append(tx, event)) ?? null;
      }
      await saveForwards(tx, messageId, commits);
      return commits;
    });
  }

  /** @NOTE a sender that does not hear of it does not stop the message (mesh.md 7.1). */
  async function tellAuthor(
    message: InboxMessage,
    from: WebhookSource,
    agentId: string,
    note: string | null,
  ) {
    const notice = { type: "forwarded", agent_id: self, target_agent_id: agentId, note };
    await callbacks.post(message.webhook, from, notice).catch(ignoreUnlessForbidden);
  }

  /** A copy for a target, on disk before it leaves. Throws QUEUE_FULL. */
  function queued(message: InboxMessage, target: Connection, commit: string | null): Promise<CopyKey> {
    const { messageId, content, webhook, from } = message;
    const onward = { messageId, content, webhook, hopsRemaining: message.hopsRemaining - 1 };
    const isLinked = commit !== null && speaks(target, "journal/1");
    const metadata = isLinked ? { ...message.metadata, commit } : message.metadata;
    const key = { messageId, agentId: target.agentId, forwarded: true };
    return db.write(async (tx) => {
      await outbox.room(tx, [target]);
      await outbox.add(tx, [key], () => ({ message: onward, from, metadata }));
      return key;
    });
  }

  async function passOn(
    message: InboxMessage,
    from: WebhookSource,
    target: Connection,
    commits: Readonly<Record<string, string | null>>,
    note: string | null,
  ): Promise<ForwardOutcome["results"][number]> {
    const { agentId } = target;
    try {
      await tellAuthor(message, from, agentId, note);
      const [copy] = await outbox.bring([await queued(message, target, commits[agentId] ?? null)]);
      return resultOf(agentId, copy);
    } catch (error) {
      return { agent_id: agentId, success: false, error: reasonOf(error) };
    }
  }

  function record(
    message: InboxMessage,
    results: ForwardOutcome["results"],
    callId: string | undefined,
  ): Promise<ForwardOutcome> {
    const { messageId, hopsRemaining } = message;
    return db.write((tx) =>
      once(tx, callId, async (): Promise<ForwardOutcome> => {
        tx.afterCommit(changed);
        return { messageId, hopsRemaining: hopsRemaining - 1, results };
      }),
    );
  }

  /** A repeated call hears its first result; a first one that the message is not there. */
  function absent(messageId: string, callId: string | undefined): Promise<ForwardOutcome> {
    return db.write((tx) =>
      once(tx, callId, async (): Promise<ForwardOutcome> => {
        throw meshError("NOT_FOUND", `No queued message with ID '${messageId.slice(0, 128)}'.`);
      }),
    );
  }

  return {
    async forward(messageId, targetIds, { note, force, callId }) {
      const message = await readInbox(db, messageId);
      if (!message) return absent(messageId, callId);
      if (isTaskWebhook(message.webhook)) throw meshError("BAD_REQUEST", ONLY_ANSWERED_HERE);
      if (targetIds.length === 0)
        throw meshError("BAD_REQUEST", "Name target_agent_id or target_agent_ids to forward.");
      const targets: Connection[] = [];
      for (const agentId of new Set(targetIds))
        targets.push(await requireConnection(db, connections, agentId));

      const connected = (await connections.get(db, message.from)) !== undefined && message.verified;
      const from: WebhookSource = { from: message.from, connected, author: authorOf(message) };
      await requireOpen(message, from, targets, force);
      await requireHops(message, from);

      const commits = await journalled(message, targets);
      if (!commits) return absent(messageId, callId);
      const results: ForwardOutcome["results"] = [];
      for (const target of targets) results.push(await passOn(message, from, target, commits, note));
      return record(message, results, callId);
    },
  };
}

function resultOf(agentId: string, copy: QueuedCopy | undefined): ForwardOutcome["results"][number] {
  if (copy?.state === "stored") return { agent_id: agentId, success: true };
  const error = copy?.why ?? "not answered yet";
  if (copy?.nextAtMs != null) return { agent_id: agentId, success: true, queued: true, error };
  return { agent_id: agentId, success: false, error };
}

/** Notes that a target took a message that was passed on to it: it leaves the inbox, and its author may hear so. */
export function createPassedOn(
  { clock, signer }: MeshPorts,
  giving: Giving,
): (tx: Write, agentId: string, passedOn: PassedOn) => Promise<void> {
  return async (tx, agentId, { message: { messageId, content }, metadata }) => {
    const message = await readInbox(tx, messageId);
    const commits = await readForwards(tx, messageId);
    // One that was answered meanwhile is left to its answer, which is on its way and has still to be recorded.
    if (message && commits && (await deleteInbox(tx, messageId))) {
      await giving.acted(tx, message, "forwarded", commits[agentId] ?? null);
    }
    // Erased while it was on its way: its words must not come back.
    if (await isErased(tx, messageId, ERASED)) return;
    await remember(tx, {
      messageId,
      content,
      from: signer.agentId,
      to: [agentId],
      at: isoTime(clock.now()),
      entryType: "forward",
      direction: "outbound",
      trust: 0,
      metadata: message?.metadata ?? metadata,
    });
  };
}

/** Whether a target had the message: it wrote it (its webhook says so), or its author says so. */
function had(target: Connection, message: InboxMessage, state: JsonObject): boolean {
  if (message.webhook.startsWith(endpoint(target.url, "webhook/"))) return true;
  const updates = Array.isArray(state.updates) ? state.updates : [];
  return updates.some(
    (update) =>
      typeof update === "object" &&
      update !== null &&
      !Array.isArray(update) &&
      update.target_agent_id === target.agentId,
  );
}
