import { type ErrorKind, errorsOf } from "@darkmatter/core";

const kind = (status: number, message: string, hint: string, retryable = false): ErrorKind => ({
  status,
  message,
  hint,
  retryable,
});

const KINDS = {
  BAD_REQUEST: kind(400, "The request is malformed.", "Correct the named field and send it again."),
  FORBIDDEN: kind(403, "Refused.", "Sign with the key that is your agent id; connect first if you have not."),
  NOT_FOUND: kind(404, "No such thing here.", "List what there is, then use an id from the list."),
  DUPLICATE: kind(409, "Duplicate message — already received", "Nothing to do: it was delivered before."),
  TOO_LARGE: kind(413, "Too large.", "Send less at once."),
  TOO_MANY: kind(429, "Too many.", "Wait a minute, then try again.", true),
  QUEUE_FULL: kind(
    429,
    "Too many messages wait to be sent.",
    "Wait until the agents they are for are back, or withdraw some with darkmatter_expire_message.",
    true,
  ),
  INACTIVE: kind(503, "Agent is currently inactive", "Try again later.", true),
  NOT_CONNECTED: kind(
    404,
    "Not connected to that agent.",
    "Use darkmatter_list_connections to see who is connected.",
  ),
  NO_CONNECTIONS: kind(
    404,
    "No connections available to route this message.",
    "Find agents with darkmatter_discover_local, then ask one with darkmatter_connection.",
  ),
  UNREACHABLE: kind(
    502,
    "The other agent could not be reached.",
    "It may be offline: try again later.",
    true,
  ),
  /** The one code whose detail quotes a peer. */
  REFUSED: kind(
    502,
    "The other agent refused.",
    "Its answer says why. If it cannot reach a loopback URL, start this node with DARKMATTER_HOST set to this machine's address.",
  ),
  FULL: kind(
    429,
    "No room for another connection.",
    "Disconnect a peer, or raise DARKMATTER_MAX_CONNECTIONS.",
  ),
  STATE_FILE: kind(
    500,
    "The state file cannot be used.",
    "Repair it, or leave it out with `darkmatter state import --skip`.",
  ),
} satisfies Record<string, ErrorKind>;

export type MeshErrorCode = keyof typeof KINDS;

/** Makes an error of the mesh. `detail` must hold no peer's text beyond ids and field names. */
export const meshError = errorsOf<MeshErrorCode>(KINDS);
