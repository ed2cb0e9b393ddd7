import { type DarkMatterError, type ErrorKind, errorsOf } from "@darkmatter/core";

const kind = (message: string, hint: string): ErrorKind => ({ status: 500, retryable: false, message, hint });

/** What can go wrong between a command and a ledger server. */
const KINDS = {
  SERVER_UNSET: kind(
    "No ledger server is named.",
    "Name one with --host URL or DARKMATTER_HOST, in .env or in the environment. A server of your own: darkmatter serve ledger",
  ),
  KEY_UNSET: kind(
    "No API key is set.",
    "Get one: darkmatter init. Or put DARKMATTER_API_KEY into .env or the environment.",
  ),
  KEY_OF_ANOTHER: kind(
    "The API key is another server's.",
    "Keys are sent only to the server they stand beside. Run the command where that server's .env is, or set DARKMATTER_HOST and DARKMATTER_API_KEY together.",
  ),
  HOST_INSECURE: kind(
    "Over plain HTTP anybody on the way could read the API key.",
    "Use an https:// URL. Where you trust every network on the way: --insecure",
  ),
  SERVER_AWAY: kind(
    "The ledger server does not answer.",
    "Check that it runs and that --host or DARKMATTER_HOST is right; then try again.",
  ),
  SERVER_REFUSED: kind("The ledger server refused.", "Correct what is named and try again."),
  SERVER_FAILED: kind(
    "The ledger server could not do it.",
    "Try again later. Whoever runs the server finds the reason in its log.",
  ),
  SERVER_STRANGE: kind(
    "This is no answer of a ledger server.",
    "Check --host or DARKMATTER_HOST: something else may be listening there.",
  ),
  SERVER_BUSY: kind("The ledger server takes no more calls for now.", "Try again later."),
  KEY_REFUSED: kind(
    "The ledger server does not know this API key.",
    "It may have been rotated, or be another server's. Get a new one: log in (POST /auth/login) and POST /dashboard/agents/ID/rotate, or make a new account with darkmatter init",
  ),
  NOT_ON_SERVER: kind(
    "There is no such thing in this account on the ledger server.",
    "What there is: darkmatter recent --server, darkmatter search TEXT, darkmatter shares list, darkmatter keys list",
  ),
  EMAIL_KNOWN: kind(
    "There is an account of this email already.",
    "Another agent of it, where the folder of one is here: darkmatter init --beside FOLDER. Else log in (POST /auth/login), make an agent (POST /dashboard/agents), and put its key into .env as DARKMATTER_API_KEY. An account that init made has no password yet: whoever runs the server lets you set one with darkmatter ledger reset-password EMAIL.",
  ),
  BUNDLE_REFUSED: kind(
    "The bundle does not verify, so nothing was imported.",
    "See what is wrong with it: darkmatter verify FILE",
  ),
  BUNDLE_UNUSABLE: kind("The bundle cannot be imported.", "Nothing was sent."),
  IMPORT_DIFFERS: kind(
    "What the server stored is not what the bundle holds.",
    "The import was stopped there. Nothing can be taken back from the log; tell whoever runs the server.",
  ),
  ENV_HAS_KEYS: kind(
    "There are DarkMatter keys in .env already.",
    "Say --env replace to put the new ones in their place, or --env append to put them after (the last ones count).",
  ),
  KEY_UNREADABLE: kind("This is no Ed25519 public key.", "Make a pair: darkmatter keys generate NAME"),
  CANCELLED: kind(
    "Nothing was done.",
    "What is asked can also be said: the same command with --help lists how.",
  ),
  STOPPED: kind("Stopped.", "The server was only asked what it holds: nothing was changed there."),
  STOPPED_WRITING: kind(
    "Stopped.",
    "What was asked of the server last may have been done: look there. An import that is started again goes on where it ended.",
  ),
  FILE_TAKEN: kind("There is such a file already.", "Move it away, or replace it with --force."),
  NO_STEP: kind("Neither chain has such a step.", "Steps count from 1, the first commit of the chain."),
  NO_FORK: kind("This chain has no fork.", "Name two commits: darkmatter diff A B"),
} satisfies Record<string, ErrorKind>;

export type ClientErrorCode = keyof typeof KINDS;

const fromTable = errorsOf<ClientErrorCode>(KINDS);

export function clientError(code: ClientErrorCode, detail?: string, cause?: unknown): DarkMatterError {
  return fromTable(code, detail, cause);
}
