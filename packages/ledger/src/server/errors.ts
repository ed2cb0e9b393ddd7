import { DarkMatterError, type ErrorKind, errorsOf } from "@darkmatter/core";

const wrong = (message: string, hint: string) => ({ status: 400, retryable: false, message, hint });

/** A code as answers carry it: those of the rooms below, as `DATABASE_UNREACHABLE`, are written like the server's own. */
export const outwardCode = (code: string): string => code.toLowerCase();

const UNAUTHORIZED: ErrorKind = {
  status: 401,
  retryable: false,
  message: "No valid credential came with this request.",
  hint: "Send `Authorization: Bearer` with an API key (dm_sk_…) or, for account routes, a session.",
};

const SESSION =
  "a session, whose access token is good for an hour: `Authorization: Bearer dm_at_…`, or the cookies of a log-in. " +
  "`POST /api/auth/refresh` renews it by its refresh token, `POST /auth/login` begins another.";
/** What each kind of route takes; the same whatever was sent, so that nobody learns whether it was once good. */
const TAKEN = {
  key: "This route takes an agent's API key, and no session: `Authorization: Bearer dm_sk_…`.",
  session: `This route takes no API key but ${SESSION}`,
  "key or session": `This route takes an agent's API key, \`Authorization: Bearer dm_sk_…\`, or ${SESSION}`,
  admin: "This route takes the operator's secret, or the API key of an agent that the operator has listed.",
  refresh:
    "This route takes a session's refresh token (dm_rt_…), which works once and for 90 days. `POST /auth/login` begins another session.",
} as const;

/** Whoever called is not let in; what the route would take is in the hint. */
export function unauthorized(taken: keyof typeof TAKEN): DarkMatterError {
  return new DarkMatterError("unauthorized", { ...UNAUTHORIZED, hint: TAKEN[taken] });
}

/** What a ledger server refuses. The codes are part of the API. */
export const serverError = errorsOf({
  unauthorized: UNAUTHORIZED,
  not_found: {
    status: 404,
    retryable: false,
    message: "There is no such thing in this account.",
    hint: "Check the id.",
  },
  cross_site: {
    status: 403,
    retryable: false,
    message: "A page of another site may not do this with a session cookie.",
    hint: "Call from the server's own pages, or send the session as `Authorization: Bearer`.",
  },
  invalid_request: wrong("The request is not as this route wants it.", "See /openapi.json."),
  payload_required: wrong("The commit has no payload.", "Send `payload`, an object."),
  payload_too_large: {
    status: 413,
    retryable: false,
    message: "The payload is larger than this server takes.",
    hint: "Keep large data elsewhere and commit its hash.",
  },
  invalid_timestamp: wrong(
    "The timestamp is no ISO 8601 time with an offset.",
    "Send `YYYY-MM-DDTHH:MM:SSZ`.",
  ),
  signature_invalid: wrong(
    "The agent's signature over the envelope does not hold.",
    "Sign the canon-1 bytes of the envelope that is sent.",
  ),
  hash_mismatch: wrong(
    "What the client claims of this commit is not what the server computes.",
    "Leave `strict` out to have it as a warning.",
  ),
  fork_point_invalid: wrong(
    "The fork point is not on the chain of that commit, or does not verify.",
    "Name a commit of its chain, or a step from 1.",
  ),
  chain_unreadable: {
    status: 409,
    retryable: false,
    message: "A step of this chain is damaged on this server, so the chain cannot be given out whole.",
    hint: "`GET /api/verify` of this id says which steps hold; what ends before this one can be had. Tell the operator.",
  },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    message: "This idempotency key was used for another request within the last day.",
    hint: "Use a new key for a new request.",
  },
  witness_signed: {
    status: 409,
    retryable: false,
    message: "Another signature of this witness under this checkpoint is stored already.",
    hint: "The first one stays.",
  },
  key_invalid: wrong(
    "That is no Ed25519 public key that may be used.",
    "A signing key is base64url of 32 bytes, an agent's key an SPKI PEM; points of small order are refused.",
  ),
  key_exists: wrong(
    "This agent has, or had, a key with this id, or revoked this key.",
    "Register a new key under a new id.",
  ),
  key_not_active: wrong("This key is no longer active.", "Name a key that is active, or register a new one."),
  key_conflict: {
    status: 409,
    retryable: false,
    message: "This id names another key, or the key was revoked.",
    hint: "Register a new key under a new id.",
  },
  share_expired: {
    status: 410,
    retryable: false,
    message: "This share's time is over.",
    hint: "Ask who made it for a new one.",
  },
  sign_up_refused: wrong("No account can be made with this email.", "Log in, or use another email."),
  credentials_wrong: wrong("Email or password is wrong.", "Try again, or have the password reset."),
  reset_token_invalid: wrong(
    "This token sets no password: it is unknown, used, or its time is over.",
    "Ask the operator of this server for a new one.",
  ),
  account_exists: {
    status: 409,
    retryable: false,
    message: "There is an account with this email.",
    hint: "Log in and create an agent there.",
  },
  spawn_limit: {
    status: 429,
    retryable: true,
    message: "This account registered as many agents today as it may.",
    hint: "Wait until `resets_at`, or make agents with a session.",
  },
  agent_limit: {
    status: 429,
    retryable: true,
    message: "This account's people made as many agents today as they may.",
    hint: "Wait until `resets_at`, or give an agent you have a new key. The operator sets the limit.",
  },
  overloaded: {
    status: 503,
    retryable: true,
    message: "The server has too much to do at this moment.",
    hint: "Try again in a few seconds.",
  },
  busy: {
    status: 503,
    retryable: true,
    message: "More commits wait than this server can hold.",
    hint: "Try again in a few seconds.",
  },
  rate_limited: {
    status: 429,
    retryable: true,
    message: "Too many requests.",
    hint: "Wait as long as `Retry-After` says.",
  },
});
