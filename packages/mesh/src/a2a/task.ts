import { isoTime, type Json, type JsonObject } from "@darkmatter/core";
import type { TaskState } from "./request.ts";
import type { Progress, TaskRow, Words } from "./tasks.store.ts";

/** Tasks of one token that may be open at once. */
export const OPEN_TASKS_MAX = 20;
/** Tasks kept of one token: the newest. */
export const KEPT_TASKS_MAX = 200;
/** Messages of one task. */
export const TASK_MESSAGES_MAX = 20;

export interface Status {
  readonly state: TaskState;
  /** `undefined` where nothing tells when: a message that was dropped leaves no time behind. */
  readonly atMs: number | undefined;
}

const TERMINAL: ReadonlySet<TaskState> = new Set([
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
]);

export const isTerminal = ({ state }: Status): boolean => TERMINAL.has(state);

/**
 * How a task stands, from how its messages stand: no state of its own could say otherwise after a crash. It is complete
 * when each is answered, and failed when one left the inbox without an answer.
 */
export function statusOf({ createdAtMs, canceledAtMs }: TaskRow, progress: readonly Progress[]): Status {
  if (canceledAtMs !== null) return { state: "TASK_STATE_CANCELED", atMs: canceledAtMs };
  const open = progress.filter(({ answeredAtMs }) => answeredAtMs === null);
  if (open.some(({ waits }) => !waits)) return { state: "TASK_STATE_FAILED", atMs: undefined };
  const answered = progress.map(({ answeredAtMs }) => answeredAtMs ?? 0);
  if (open.length === 0) return { state: "TASK_STATE_COMPLETED", atMs: Math.max(...answered) };
  const reads = progress.map(({ readAtMs }) => readAtMs ?? 0);
  const workedMs = Math.max(...reads, ...answered);
  if (workedMs > 0) return { state: "TASK_STATE_WORKING", atMs: workedMs };
  return { state: "TASK_STATE_SUBMITTED", atMs: createdAtMs };
}

/** A task as the protocol writes it. */
export function shownTask(
  task: TaskRow,
  status: Status,
  words: readonly Words[],
  options: { readonly historyLength?: number | undefined; readonly artifacts: boolean },
): JsonObject {
  const { historyLength = Number.POSITIVE_INFINITY } = options;
  const history = historyLength === 0 ? [] : words.slice(-historyLength);
  return {
    id: task.id,
    contextId: task.contextId,
    status: shownStatus(status),
    ...(options.artifacts && { artifacts: words.filter(isAnswered).map(shownAnswer) }),
    ...(history.length > 0 && { history: history.map((one) => shownMessage(task, one)) }),
  };
}

export const isAnswered = ({ answer }: Words): boolean => answer !== null;

export function shownStatus({ state, atMs }: Status): JsonObject {
  return { state, ...(atMs !== undefined && { timestamp: isoTime(atMs) }) };
}

const shownMessage = ({ id, contextId }: TaskRow, { clientId, parts }: Words): JsonObject => ({
  messageId: clientId,
  taskId: id,
  contextId,
  role: "ROLE_USER",
  parts: JSON.parse(parts) as Json,
});

/** An answer, with what proves that this agent gave it: the signature of a reply (mesh.md 3). */
export const shownAnswer = ({ messageId, answer, proof }: Words): JsonObject => ({
  artifactId: messageId,
  name: "answer",
  parts: [{ text: answer ?? "" }],
  ...(proof !== null && { metadata: { darkmatter: JSON.parse(proof) as Json } }),
});
