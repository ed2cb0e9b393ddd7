import { type DarkMatterError, type ErrorKind, errorsOf, type JsonObject } from "@darkmatter/core";

const kind = (status: number, message: string, hint: string): ErrorKind => ({
  status,
  message,
  hint,
  retryable: status === 429 || status === 503,
});

const KINDS = {
  PARSE_ERROR: kind(400, "The body is not JSON.", "Send one JSON-RPC 2.0 request."),
  INVALID_REQUEST: kind(400, "Not a JSON-RPC 2.0 request.", "Send jsonrpc, id, method and params."),
  METHOD_NOT_FOUND: kind(404, "No such method.", "The agent card says which protocol version is spoken."),
  INVALID_PARAMS: kind(400, "The parameters are malformed.", "Correct the named field and send it again."),
  TASK_NOT_FOUND: kind(404, "Task not found.", "ListTasks shows the tasks of this token."),
  TASK_NOT_CANCELABLE: kind(400, "The task cannot be canceled any more.", "GetTask shows how it ended."),
  PUSH_NOTIFICATION_NOT_SUPPORTED: kind(
    400,
    "Push notifications are not supported.",
    "Use SubscribeToTask, or ask with GetTask.",
  ),
  UNSUPPORTED_OPERATION: kind(400, "Not supported.", "Begin a new task."),
  CONTENT_TYPE_NOT_SUPPORTED: kind(
    400,
    "Files are not taken: only text and data parts.",
    "Send what the file says as text.",
  ),
  VERSION_NOT_SUPPORTED: kind(
    400,
    "This protocol version is not spoken here.",
    "Send the header A2A-Version: 1.0.",
  ),
  BUSY: kind(429, "Too much at once.", "Wait a minute, then try again."),
  INACTIVE: kind(503, "The agent is inactive at present.", "Try again later."),
} satisfies Record<string, ErrorKind>;

export type A2aErrorCode = keyof typeof KINDS;

/** Makes an error of the A2A surface. `detail` holds no secret and no text of a caller. */
export const a2aError = errorsOf<A2aErrorCode>(KINDS);

/** JSON-RPC's codes for the protocol's errors (A2A 1.0, section 5.4); the last two are this server's own. */
const RPC_CODES: Readonly<Record<A2aErrorCode, number>> = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  TASK_NOT_FOUND: -32001,
  TASK_NOT_CANCELABLE: -32002,
  PUSH_NOTIFICATION_NOT_SUPPORTED: -32003,
  UNSUPPORTED_OPERATION: -32004,
  CONTENT_TYPE_NOT_SUPPORTED: -32005,
  VERSION_NOT_SUPPORTED: -32009,
  BUSY: -32000,
  INACTIVE: -32000,
};

/** The `error` of a JSON-RPC answer, with the protocol's reason as its data. `undefined` for other errors. */
export function rpcError({ code, message, hint }: DarkMatterError): JsonObject | undefined {
  if (!Object.hasOwn(RPC_CODES, code)) return undefined;
  const detail = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: code,
    domain: "a2a-protocol.org",
    metadata: { hint },
  };
  return { code: RPC_CODES[code as A2aErrorCode], message, data: [detail] };
}
