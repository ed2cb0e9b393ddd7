import { isoTime, type JsonObject, newId, newUuid } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { isBlocked } from "../connections/connections.store.ts";
import { remember } from "../conversation/conversation.ts";
import { deleteInbox, insertInbox, takePlace } from "../messages/messages.store.ts";
import type { OnStored, StoredMessage } from "../messages/stored.ts";
import type { MeshPorts } from "../ports.ts";
import { webhookOfTask } from "./local-answers.ts";
import { a2aError } from "./protocol-errors.ts";
import type { ListRequest, SendRequest, TaskRequest } from "./request.ts";
import { PAGE_DEFAULT } from "./request.ts";
import {
  isTerminal,
  KEPT_TASKS_MAX,
  OPEN_TASKS_MAX,
  type Status,
  shownTask,
  statusOf,
  TASK_MESSAGES_MAX,
} from "./task.ts";
import {
  dropSurplus,
  insertMessage,
  insertTask,
  markCanceled,
  readProgress,
  readProgressAll,
  readSentBefore,
  readTask,
  readTasks,
  readWords,
  type TaskRow,
  type Words,
} from "./tasks.store.ts";
import { callerOf, type Token } from "./token.ts";

/** What a caller asked of our agent, and what came of it. Each caller sees its own tasks alone. */
export interface Tasks {
  /**
   * Leaves a message with our agent: a new task, or one more message of a task that is open. The same message again is
   * the task it began. Throws what the protocol refuses with.
   */
  send(token: Token, request: SendRequest): Promise<TaskRow>;
  /** Throws TASK_NOT_FOUND. */
  get(token: Token, request: TaskRequest): Promise<JsonObject>;
  list(token: Token, request: ListRequest): Promise<JsonObject>;
  /** Takes a task back: our agent does not see it any more. Throws TASK_NOT_FOUND, TASK_NOT_CANCELABLE. */
  cancel(token: Token, id: string): Promise<JsonObject>;
  /** A task as it stands now; `undefined` once its token was revoked. */
  look(id: string): Promise<{ task: TaskRow; status: Status; words: readonly Words[] } | undefined>;
  /** Throws TASK_NOT_FOUND for a task of another token as for none. */
  own(tx: Read, token: Token, id: string): Promise<TaskRow>;
}

export interface TaskServices {
  /** Whether the agent takes messages now. */
  isActive(): boolean;
  /** What else is done with a message in its own transaction. */
  onStored(): readonly OnStored[];
  changed(): void;
}

const BLOCKED = "The agent takes no messages from the holder of this token.";

export function createTasks(ports: MeshPorts, { isActive, onStored, changed }: TaskServices): Tasks {
  const { db, clock, config, journal, random, signer } = ports;

  async function own(tx: Read, token: Token, id: string): Promise<TaskRow> {
    const task = await readTask(tx, id);
    if (task?.tokenId !== token.id) throw a2aError("TASK_NOT_FOUND");
    return task;
  }

  const standing = async (tx: Read, task: TaskRow) => statusOf(task, await readProgress(tx, task.id));

  /** The open task that a message goes on with. */
  async function continued(tx: Read, token: Token, taskId: string, contextId: string | undefined) {
    const task = await own(tx, token, taskId);
    if (contextId !== undefined && contextId !== task.contextId) {
      throw a2aError("INVALID_PARAMS", "contextId is not that of the task.");
    }
    const progress = await readProgress(tx, task.id);
    if (isTerminal(statusOf(task, progress))) throw a2aError("UNSUPPORTED_OPERATION", "The task has ended.");
    if (progress.length >= TASK_MESSAGES_MAX) throw a2aError("BUSY", "The task holds too many messages.");
    return task;
  }

  async function begun(tx: Write, token: Token, contextId: string | undefined): Promise<TaskRow> {
    const before = await readProgressAll(tx, token.id);
    const tasks = await readTasks(tx, token.id);
    const open = tasks.filter((task) => !isTerminal(statusOf(task, before.get(task.id) ?? [])));
    if (open.length >= OPEN_TASKS_MAX) {
      throw a2aError("BUSY", `${OPEN_TASKS_MAX} tasks of this token are open: cancel some, or wait.`);
    }
    const task = {
      id: newUuid(random),
      tokenId: token.id,
      contextId: contextId ?? newUuid(random),
      createdAtMs: clock.now(),
    };
    await insertTask(tx, task);
    await dropSurplus(tx, token.id, KEPT_TASKS_MAX);
    return { ...task, seq: 0, canceledAtMs: null };
  }

  /** A message of a caller where every message waits: what follows it there follows it too. */
  async function queue(
    tx: Write,
    token: Token,
    task: TaskRow,
    { content, clientId }: SendRequest,
  ): Promise<string> {
    const now = clock.now();
    const messageId = newId("msg", random);
    const metadata = { a2a: { task_id: task.id, context_id: task.contextId, message_id: clientId } };
    if ((await takePlace(tx, config.inboxMax)) === undefined)
      throw a2aError("BUSY", "The agent's inbox is full.");
    const message: StoredMessage = {
      messageId,
      from: callerOf(token),
      content,
      metadata,
      webhook: webhookOfTask(task.id, messageId),
      // Only this node can bring its answer to the caller.
      hopsRemaining: 0,
      connected: false,
      score: token.mayWake ? 1 : 0,
      broadcast: false,
      receivedAtMs: now,
    };
    const commit = await journal.append(tx, {
      act: "message.received",
      trace: messageId,
      // A caller is no agent: there is no key by which it could be named.
      peer: null,
      messageId,
      fields: { content, metadata, caller: message.from },
    });
    const seen = { id: messageId, seenAtMs: now, untilMs: now, share: message.from };
    const waiting = { ...message, verified: true, read: false };
    await insertInbox(tx, waiting, JSON.stringify(metadata), seen, commit ?? null);
    await remember(tx, {
      ...{ messageId, content, from: message.from, to: [signer.agentId], at: isoTime(now) },
      ...{ entryType: "direct", direction: "inbound", trust: message.score, metadata },
    });
    for (const follow of onStored()) await follow(tx, message);
    return messageId;
  }

  async function shown(
    tx: Read,
    task: TaskRow,
    options: { historyLength: number | undefined; artifacts: boolean },
  ): Promise<JsonObject> {
    return shownTask(task, await standing(tx, task), await readWords(tx, task.id), options);
  }

  return {
    own,

    async send(token, request) {
      if (!isActive()) throw a2aError("INACTIVE");
      const parts = JSON.stringify(request.parts);
      return db.write(async (tx) => {
        if (await isBlocked(tx, callerOf(token))) throw a2aError("UNSUPPORTED_OPERATION", BLOCKED);
        const before = await readSentBefore(tx, token.id, request.clientId);
        if (before) {
          if (before.parts !== parts)
            throw a2aError("INVALID_PARAMS", "messageId was used for another message.");
          return own(tx, token, before.taskId);
        }
        const { taskId, contextId, clientId } = request;
        const task =
          taskId === undefined
            ? await begun(tx, token, contextId)
            : await continued(tx, token, taskId, contextId);
        const messageId = await queue(tx, token, task, request);
        const ids = { messageId, taskId: task.id, tokenId: token.id, clientId };
        await insertMessage(tx, { ...ids, parts, createdAtMs: clock.now() });
        tx.afterCommit(changed);
        return task;
      });
    },

    async get(token, { id, historyLength }) {
      return shown(db, await own(db, token, id), { historyLength, artifacts: true });
    },

    async list(token, request) {
      const progress = await readProgressAll(db, token.id);
      const all = (await readTasks(db, token.id)).map((task) => {
        const status = statusOf(task, progress.get(task.id) ?? []);
        return { task, status, atMs: status.atMs ?? task.createdAtMs };
      });
      const { contextId, status: wanted, statusTimestampAfter: after } = request;
      const found = all
        .filter(({ task }) => contextId === undefined || task.contextId === contextId)
        .filter(({ status }) => !wanted || wanted === "TASK_STATE_UNSPECIFIED" || status.state === wanted)
        .filter(({ atMs }) => after === undefined || atMs > Date.parse(after))
        .sort((one, other) => other.atMs - one.atMs || other.task.seq - one.task.seq);
      const [fromMs = 0, fromSeq = 0] = (request.pageToken ?? "").split("-").map(Number);
      const isAfter = ({ atMs, task }: (typeof all)[number]) =>
        request.pageToken === undefined || atMs < fromMs || (atMs === fromMs && task.seq < fromSeq);
      const rest = found.filter(isAfter);
      const page = rest.slice(0, request.pageSize ?? PAGE_DEFAULT);
      const last = rest.length > page.length ? page.at(-1) : undefined;
      const options = { historyLength: request.historyLength, artifacts: request.includeArtifacts };
      const tasks: JsonObject[] = [];
      for (const { task } of page) tasks.push(await shown(db, task, options));
      return {
        tasks,
        nextPageToken: last ? `${last.atMs}-${last.task.seq}` : "",
        pageSize: page.length,
        totalSize: found.length,
      };
    },

    cancel(token, id) {
      return db.write(async (tx) => {
        const task = await own(tx, token, id);
        const progress = await readProgress(tx, id);
        const isLate = progress.some(({ answering, answeredAtMs }) => answering && answeredAtMs === null);
        if (isLate) throw a2aError("TASK_NOT_CANCELABLE", "The task is being answered.");
        const status = statusOf(task, progress);
        if (isTerminal(status) && status.state !== "TASK_STATE_CANCELED")
          throw a2aError("TASK_NOT_CANCELABLE");
        if (!isTerminal(status)) {
          for (const { messageId, waits } of progress) if (waits) await deleteInbox(tx, messageId);
          await markCanceled(tx, id, clock.now());
          tx.afterCommit(changed);
        }
        return shown(tx, await own(tx, token, id), { historyLength: undefined, artifacts: true });
      });
    },

    async look(id) {
      const task = await readTask(db, id);
      return task && { task, status: await standing(db, task), words: await readWords(db, id) };
    },
  };
}
