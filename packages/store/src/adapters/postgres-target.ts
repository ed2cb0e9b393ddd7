import { storeError } from "../errors.ts";
import { systemCode } from "./file-errors.ts";

/** What a URL leads to, as the library reads it: options, `PGHOST` and the like included. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where a database is, and the URL to give to the library. */
export interface PostgresTarget {
  readonly url: string;
  /** `host:port`, or the socket's file: what may be shown of a URL. */
  readonly where: string;
}

const ESCAPES = "In a user or password write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A and % as %25.";

/**
 * Reads a database's URL.
 * @param read what the library makes of a URL; may throw
 * @throws DATABASE_URL_REFUSED, with nothing of the URL but files that it names
 */
export function postgresTarget(url: string, read: (url: string) => Place): PostgresTarget {
  if (url.includes("#"))
    throw storeError("DATABASE_URL_REFUSED", `The database's URL is cut at a #. ${ESCAPES}`);
  if (isCut(url)) throw storeError("DATABASE_URL_REFUSED", `${NOT_UNDERSTOOD} ${ESCAPES}`);
  const strict = withStrictTls(url);
  try {
    return { url: strict, where: whereOf(read(strict)) };
  } catch (error) {
    throw refusalOf(error);
  }
}

const NOT_UNDERSTOOD = "The database's URL is not understood.";

/** The cause would hold the URL or parts of it. */
function refusalOf(error: unknown): Error {
  const isFile = systemCode(error) !== undefined && error instanceof Error && "path" in error;
  if (isFile)
    return storeError(
      "DATABASE_URL_REFUSED",
      `The database's URL names the file ${String(error.path)}, which cannot be read.`,
    );
  return storeError("DATABASE_URL_REFUSED", `${NOT_UNDERSTOOD} ${ESCAPES}`);
}

/** With a bare `/` or `?` in the password the user is taken for the host, and the rest of it for what follows. */
function isCut(url: string): boolean {
  const parsed = URL.parse(url);
  const names = [...(parsed?.searchParams.keys() ?? [])];
  return parsed?.username === "" && [parsed.pathname, ...names].some((part) => part.includes("@"));
}

const WEAKER_MODES = /(?<=[?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/g;

/**
 * The library takes these modes for `verify-full`, with a warning that another version will not: said by that name, it
 * stays so. `no-verify` encrypts without asking who answers; `uselibpqcompat=true` gives each mode libpq's meaning.
 */
function withStrictTls(url: string): string {
  return /[?&]uselibpqcompat=true(?:&|$)/.test(url) ? url : url.replace(WEAKER_MODES, "verify-full");
}

function whereOf({ host, port }: Place): string {
  if (host.startsWith("/")) return `${host}/.s.PGSQL.${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOENT: "there is no such socket",
  EACCES: "this user may not connect to it",
  ENOTFOUND: "no host of this name is known",
  EAI_AGAIN: "the host's name could not be looked up",
  EHOSTUNREACH: "no way leads to this host",
  ENETUNREACH: "no way leads to this host",
  ETIMEDOUT: "no answer came in time",
  ECONNRESET: "the connection was cut; it may be no PostgreSQL",
};

/** The library has no codes for these. */
const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [
    /does not support SSL/,
    "it offers no TLS, which the URL's sslmode asks for: turn TLS on there, or say sslmode=disable",
  ],
  [/establishing an SSL connection|terminated unexpectedly/, "what answers there may be no PostgreSQL"],
  [/timeout/, "no answer came in time; it may be no PostgreSQL"],
  [/password must be a/, "it asks for a password, and there is none in the URL"],
];

const CERTIFICATE = /CERT|SIGNATURE|ISSUER/;

/** Why a connection did not come to be, in words; nothing that the other side said. */
export function unreachableReason(error: unknown): string {
  const code = systemCode(error) ?? "";
  const message = error instanceof Error ? error.message : "";
  if (CERTIFICATE.test(code))
    return (
      "its TLS certificate is not one this machine trusts for that name: name its authority with sslrootcert=FILE, " +
      "or say sslmode=no-verify to encrypt without asking who answers"
    );
  return (
    BY_CODE[code] ??
    BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1] ??
    "the connection failed; it may be no PostgreSQL"
  );
}
