import { DEFAULT_LIMITS, type LedgerServerConfig, type LedgerServerLimits } from "@darkmatter/ledger/server";
import { z } from "zod";
import { nodeError } from "./errors.ts";

/** Guessing one of 32 random characters is hopeless; shorter ones are words and dates. */
const ADMIN_SECRET_MIN = 32;

/** The variable of each limit; -1 is none. */
const LIMIT_VARIABLES: Readonly<Record<keyof LedgerServerLimits, string>> = {
  callsAMinute: "DARKMATTER_LEDGER_LIMIT_CALLS",
  spawnsADay: "DARKMATTER_LEDGER_LIMIT_SPAWNS",
  agentsADay: "DARKMATTER_LEDGER_LIMIT_AGENTS",
  signInsPerAddress: "DARKMATTER_LEDGER_LIMIT_SIGN_INS",
  failuresPerEmail: "DARKMATTER_LEDGER_LIMIT_FAILURES",
  provisionsAnHour: "DARKMATTER_LEDGER_LIMIT_PROVISIONS",
  payloadBytes: "DARKMATTER_LEDGER_LIMIT_PAYLOAD_BYTES",
  payloadValues: "DARKMATTER_LEDGER_LIMIT_PAYLOAD_VALUES",
  agentBytesAnHour: "DARKMATTER_LEDGER_LIMIT_AGENT_BYTES",
  publicCallsAMinute: "DARKMATTER_LEDGER_LIMIT_PUBLIC_CALLS",
};

/** What the environment decides about a ledger server. */
export interface LedgerServerSettings
  extends Pick<LedgerServerConfig, "limits" | "adminSecret" | "adminAgents" | "allowedOrigins"> {
  /** A PostgreSQL URL, which may hold a password. */
  readonly database: string | undefined;
  /** A PEM, or base64 of one. */
  readonly logKey: string | undefined;
  readonly logKeyFile: string | undefined;
  readonly formerLogKeysFile: string | undefined;
}

const limit = (fallback: number, least: number) =>
  z
    .string()
    .regex(/^(-1|\d{1,12})$/, "must be a whole number, or -1 for none")
    .transform(Number)
    .pipe(z.number().refine((value) => value !== 0 && value >= least, "must be above 0"))
    .default(fallback);
const list = (item: z.ZodType<string, string>) =>
  z
    .string()
    .transform((value) =>
      value
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== ""),
    )
    .pipe(z.array(item))
    .default([]);
/** An origin as browsers write it: no path, no slash at its end. */
const origin = z
  .string()
  .refine(
    (value) => /^https?:$/.test(URL.parse(value)?.protocol ?? "") && URL.parse(value)?.origin === value,
    "must be origins such as https://app.example.org, separated by commas",
  );

const Environment = z.object({
  ...(Object.fromEntries(
    Object.entries(LIMIT_VARIABLES).map(([name, variable]) => [
      variable,
      // What takes any size would be read whole into memory.
      limit(DEFAULT_LIMITS[name as keyof LedgerServerLimits], name === "payloadBytes" ? 1 : -1),
    ]),
  ) as Record<string, z.ZodType<number>>),
  DARKMATTER_LEDGER_DATABASE: z.string().optional(),
  DARKMATTER_LEDGER_ADMIN_SECRET: z
    .string()
    .min(ADMIN_SECRET_MIN, `must have at least ${ADMIN_SECRET_MIN} characters`)
    // What no header can carry would never match.
    .regex(/^[\x21-\x7e]*$/, "must be letters, digits and signs without spaces")
    .optional(),
  DARKMATTER_LEDGER_ADMIN_AGENTS: list(
    z.string().regex(/^dm_[0-9a-f]{16}$/, "must be agent ids such as dm_0123456789abcdef"),
  ),
  DARKMATTER_LEDGER_ORIGINS: list(origin),
  DARKMATTER_LOG_KEY: z.string().optional(),
  DARKMATTER_LOG_KEY_FILE: z.string().optional(),
  DARKMATTER_LOG_KEYS_FORMER: z.string().optional(),
});

/** Reads the environment. @throws CONFIG_INVALID, naming each variable and what it may be, never what it is */
export function parseLedgerServerSettings(
  env: Readonly<Record<string, string | undefined>>,
): LedgerServerSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path[0]?.toString()} ${message}`);
    throw nodeError("CONFIG_INVALID", `${[...new Set(problems)].join("; ")}.`);
  }
  const found = parsed.data;
  const numbers = parsed.data as unknown as Readonly<Record<string, number>>;
  const limits = Object.fromEntries(
    Object.entries(LIMIT_VARIABLES).map(([name, variable]) => [name, numbers[variable]]),
  ) as unknown as LedgerServerLimits;
  return {
    limits,
    adminSecret: found.DARKMATTER_LEDGER_ADMIN_SECRET,
    adminAgents: found.DARKMATTER_LEDGER_ADMIN_AGENTS,
    allowedOrigins: found.DARKMATTER_LEDGER_ORIGINS,
    database: databaseUrl(found.DARKMATTER_LEDGER_DATABASE, "DARKMATTER_LEDGER_DATABASE"),
    logKey: found.DARKMATTER_LOG_KEY,
    logKeyFile: found.DARKMATTER_LOG_KEY_FILE,
    formerLogKeysFile: found.DARKMATTER_LOG_KEYS_FORMER,
  };
}

/** @throws CONFIG_INVALID, without the URL: it may hold a password */
export function databaseUrl(value: string | undefined, name: string): string | undefined {
  if (value === undefined || /^postgres(ql)?:\/\/\S+$/.test(value)) return value;
  throw nodeError("CONFIG_INVALID", `${name} must be a URL such as postgresql://user@host:5432/database.`);
}
