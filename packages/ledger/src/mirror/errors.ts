import { errorsOf } from "@darkmatter/core";

const kind = (message: string, hint: string) => ({ status: 502, retryable: true, message, hint });

/** What keeps a log from being mirrored. */
export const mirrorError = errorsOf({
  MIRROR_UNREACHABLE: kind(
    "The ledger server cannot be reached.",
    "Check that it runs and that DARKMATTER_LEDGER_URL is its address; what is missing there is sent once it answers.",
  ),
  MIRROR_REFUSED: kind(
    "The ledger server refused a commit.",
    "Is DARKMATTER_LEDGER_URL the server's own address? Its log says more.",
  ),
  MIRROR_KEY_REFUSED: kind(
    "The ledger server does not know the API key.",
    "Set DARKMATTER_API_KEY to a key of this server that was not replaced, and start the node again.",
  ),
  MIRROR_NO_LEDGER: kind(
    "What answers is no ledger server.",
    "Set DARKMATTER_LEDGER_URL to the address of a ledger server.",
  ),
  MIRROR_KEY_TAKEN: kind(
    "At the server the key `passport` of this agent is another one, or revoked.",
    "Give each node an agent of its own there, and set DARKMATTER_API_KEY to its key.",
  ),
  MIRROR_DIFFERS: kind(
    "The server's hash of a commit is not this node's.",
    "The server changed what it was sent: do not trust its record.",
  ),
  MIRROR_UNSOUND: kind(
    "A commit here is not what its hashes say.",
    "Nothing is mirrored over it: darkmatter fsck",
  ),
});
