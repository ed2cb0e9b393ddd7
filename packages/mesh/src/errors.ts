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
  SHARDS_FULL: kind(
    429,
    "You share as many notes as one agent may.",
    "Withdraw one that is no longer of use: `darkmatter shards withdraw SHARD_ID`.",
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
  /** The details of these two quote a peer. */
  REFUSED: kind(
    502,
    "The other agent refused.",
    "Its answer says why. If it cannot reach a loopback URL, start this node with DARKMATTER_HOST set to this machine's address.",
  ),
  POOL_REFUSED: kind(
    502,
    "The other agent refused.",
    "Its answer says why. What its pool offers, and to whom: darkmatter pool info AGENT POOL",
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
  NO_WALLET: kind(
    409,
    "There is no wallet for that.",
    "This node needs DARKMATTER_SOLANA_RPC, and the other agent a wallet it told: see darkmatter_list_connections.",
  ),
  INSUFFICIENT_FUNDS: kind(
    409,
    "The wallet does not hold enough for the amount and the chain's own fee.",
    "Look at darkmatter_wallet_balances; send less, or ask your owner to fund the wallet.",
  ),
  PAYMENT_LIMIT: kind(
    403,
    "The owner of this node allows no such payment.",
    "Pay less, or ask your owner, who sets DARKMATTER_PAYMENT_MAX.",
  ),
  NO_SUCH_TOKEN: kind(
    404,
    "The chain knows no such token.",
    "Give the mint's address, or one of DM, USDC, USDT.",
  ),
  TRANSFER_IMPOSSIBLE: kind(
    409,
    "The chain would refuse this transfer.",
    "Nothing was sent. Check the recipient, the token and the amount.",
  ),
  CHAIN_UNREACHABLE: kind(
    502,
    "The Solana node could not be asked.",
    "Try again later, or ask your owner to set DARKMATTER_SOLANA_RPC to another node.",
    true,
  ),
} satisfies Record<string, ErrorKind>;

export type MeshErrorCode = keyof typeof KINDS;

/** Makes an error of the mesh. `detail` must hold no peer's text beyond ids and field names. */
export const meshError = errorsOf<MeshErrorCode>(KINDS);
