import type { ServerAccess } from "@darkmatter/ledger";
import {
  type AgentSettings,
  CLIENTS,
  type ClientName,
  ROUTER_MODES,
  type RouterMode,
} from "@darkmatter/mesh/nouns";
import { z } from "zod";
import { nodeError } from "./errors.ts";

export const DEFAULT_PORT = 8100;
/** Where a node looks for room when its port is somebody else's: this many from the default on. */
export const FALLBACK_PORTS = 11;
/** Asked and told only when a tool about money is used, or a payment is announced. */
const SOLANA_RPC_DEFAULT = "https://api.mainnet-beta.solana.com";
/** Ports looked through for nodes on this machine; each costs a request every half minute. */
const DISCOVERY_PORTS_MAX = 1000;

/** What the environment decides (mesh.md 17), read once. Nothing is read from `.env`. */
export interface Config {
  readonly displayName: string | undefined;
  readonly bio: string | undefined;
  readonly host: string;
  /** 0 takes any free one, and afterwards the same again. */
  readonly port: number;
  readonly discovery: boolean;
  readonly discoveryPorts: readonly number[];
  readonly publicUrl: string | undefined;
  /** Base URLs, none unless set. */
  readonly anchors: readonly string[];
  /** `stun:host:port`. */
  readonly stunServers: readonly string[];
  readonly ipService: string | undefined;
  readonly portMapping: boolean;
  /** Whether others may get this program from this node. */
  readonly bootstrap: boolean;
  /** Whether channels are opened; `undefined` only where more than loopback is listened to. */
  readonly webRtc: boolean | undefined;
  readonly maxConnections: number;
  readonly inboxMax: number;
  /** Requests a minute; -1 is unlimited. */
  readonly rateGlobal: number;
  readonly ratePerConnection: number;
  readonly acceptStrangers: boolean;
  readonly client: ClientName;
  readonly transport: "auto" | "stdio" | "http";
  /** `undefined` leaves it to what the owner chose with `rules mode`. */
  readonly routerMode: RouterMode | undefined;
  /** A module whose default export decides about messages before the rules do. */
  readonly routerModule: string | undefined;
  readonly agent: AgentSettings;
  readonly superagent: string | undefined;
  /** Base URL of the Solana node that is asked and told; `undefined` where the owner wants no wallet. */
  readonly solanaRpc: string | undefined;
  /** The most that one payment may move, by token; `undefined`: anything. */
  readonly paymentMax: Readonly<Record<string, string>> | undefined;
  /** Called when the agent is to be woken: an http(s) URL, or a command and its arguments. */
  readonly wakeHook: string | undefined;
  readonly wakeHookToken: string | undefined;
  readonly stateFile: string | undefined;
  readonly requestExpiryMs: number;
  /** The ledger server this node's log is copied to; the key is a secret. */
  readonly mirror: ServerAccess | undefined;
  /** What was understood otherwise than it was written, for the log. */
  readonly warnings: readonly string[];
}

const text = z.string().optional();
/** `true` or `false`, in the spellings people use. */
const flag = (fallback: boolean) =>
  z
    .stringbool({ error: "must be true or false" })
    .optional()
    .transform((value) => value ?? fallback);
const integer = (fallback: number, least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(least, `must be ${least} to ${most}`).max(most, `must be ${least} to ${most}`))
    .optional()
    .transform((value) => value ?? fallback);
const rate = (fallback: number) =>
  // 0 is the default (mesh.md 4).
  integer(fallback, -1, 1e9).transform((value) => (value === 0 ? fallback : value));
const portNumber = z.coerce.number().int().min(1).max(65_535);
/** It is told to others and shown: what is secret has no place in it. */
const isWebUrl = (value: string) => {
  const { protocol = "", username, password } = URL.parse(value) ?? {};
  return /^https?:$/.test(protocol) && !username && !password;
};
const url = z
  .string()
  .refine(isWebUrl, "must be an http(s) URL without user name or password")
  .refine((value) => value.length <= 2048, "must be at most 2048 characters")
  .transform((value) => value.replace(/\/+$/, ""))
  .optional();

/** Whether what is sent there reaches nobody on the way: https, or this machine. */
const isSecretSafe = (value: string) => {
  const { protocol, hostname = "" } = URL.parse(value) ?? {};
  return protocol === "https:" || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
};

const decimal = (fallback: number, least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d{1,3}(\.\d{1,9})?$/, "must be a number such as 0.5")
    .transform(Number)
    .pipe(z.number().min(least, `must be ${least} to ${most}`).max(most, `must be ${least} to ${most}`))
    .optional()
    .transform((value) => value ?? fallback);
const words = text.transform((value) =>
  value
    ?.split(",")
    .map((one) => one.trim())
    .filter((one) => one !== ""),
);
/** A comma list; `none` is an empty one. */
const listOf = (fallback: string, item: z.ZodType<string>) =>
  text.transform((value, context) => {
    const items = (value ?? fallback).split(",").map((one) => one.trim());
    const wanted = items.filter((one) => one !== "" && one !== "none");
    for (const one of wanted) {
      const problem = item.safeParse(one).error?.issues[0]?.message;
      if (problem) context.addIssue(`${problem}, separated by commas`);
    }
    return wanted.map((one) => one.replace(/\/+$/, ""));
  });
const webUrl = z.string().max(2048).refine(isWebUrl, "must be http(s) URLs without user name or password");
const stunUrl = z
  .string()
  .regex(/^stun:(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/, "must be stun:HOST:PORT");

/** `1 SOL, 20 USDC`: what is not named may not be paid at all. */
const limits = text.transform((value, context) => {
  if (value === undefined) return undefined;
  const found = value
    .split(",")
    .map((one) => /^\s*(\d{1,20}(?:\.\d{1,18})?)\s+([A-Za-z0-9]{1,64})\s*$/.exec(one));
  if (found.every((one) => one !== null)) {
    return Object.fromEntries(
      found.map(([, amount = "", token = ""]) => [token.toUpperCase() === "SOL" ? "SOL" : token, amount]),
    );
  }
  context.addIssue("must be amounts and tokens such as 1 SOL, 20 USDC");
  return z.NEVER;
});

const Environment = z.object({
  DARKMATTER_DISPLAY_NAME: text,
  DARKMATTER_AGENT_ID: text,
  DARKMATTER_BIO: text,
  DARKMATTER_HOST: text,
  DARKMATTER_PORT: integer(DEFAULT_PORT, 0, 65_535),
  DARKMATTER_DISCOVERY: flag(true),
  DARKMATTER_DISCOVERY_PORTS: text.transform((value, context) => portsOf(value ?? "8100-8200", context)),
  DARKMATTER_PUBLIC_URL: url,
  DARKMATTER_ANCHOR_NODES: listOf("", webUrl),
  DARKMATTER_STUN: listOf("stun:stun.l.google.com:19302", stunUrl),
  DARKMATTER_IP_SERVICE: listOf("https://api.ipify.org?format=json", webUrl),
  DARKMATTER_PORT_MAPPING: flag(true),
  DARKMATTER_BOOTSTRAP: flag(true),
  DARKMATTER_WEBRTC: z.stringbool({ error: "must be true or false" }).optional(),
  DARKMATTER_MAX_CONNECTIONS: integer(50, 1, 100_000),
  DARKMATTER_INBOX_MAX: integer(50, 1, 10_000_000),
  DARKMATTER_RATE_GLOBAL: rate(200),
  DARKMATTER_RATE_PER_CONNECTION: rate(30),
  DARKMATTER_ACCEPT_STRANGERS: flag(true),
  DARKMATTER_CLIENT: text,
  DARKMATTER_TRANSPORT: z.enum(["auto", "stdio", "http"], "must be auto, stdio or http").default("auto"),
  DARKMATTER_ROUTER_MODE: text,
  DARKMATTER_STATE_FILE: text,
  DARKMATTER_ROUTER: text,
  DARKMATTER_AGENT_ENABLED: flag(true),
  DARKMATTER_AGENT_MAX_CONCURRENT: integer(2, 0, 1000),
  DARKMATTER_AGENT_MAX_PER_HOUR: integer(6, 0, 100_000),
  DARKMATTER_AGENT_TIMEOUT: integer(300, 1, 86_400),
  DARKMATTER_AGENT_MIN_TRUST: decimal(0.5, -1, 1),
  DARKMATTER_AGENT_AUTONOMOUS: flag(false),
  DARKMATTER_AGENT_COMMAND: text,
  DARKMATTER_AGENT_ARGS: words,
  DARKMATTER_AGENT_ENV_CLEANUP: words,
  DARKMATTER_SUPERAGENT: url,
  DARKMATTER_SOLANA_RPC: text,
  DARKMATTER_PAYMENT_MAX: limits,
  DARKMATTER_WAKE_HOOK: text,
  DARKMATTER_WAKE_HOOK_TOKEN: text,
  DARKMATTER_REQUEST_EXPIRY: integer(3600, 1, 31_536_000),
  DARKMATTER_LEDGER_URL: url.refine(
    (value) => value === undefined || isSecretSafe(value),
    "must be an https URL, or one of this machine: the API key goes with each request",
  ),
  DARKMATTER_API_KEY: text,
});

/** Reads the environment. @throws CONFIG_INVALID, naming each variable and what it may be */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable is how many programs leave one out.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
    throw nodeError("CONFIG_INVALID", `${problems.join("; ")}.`);
  }
  const found = parsed.data;
  const warnings: string[] = [];
  return {
    displayName: nameOf(found.DARKMATTER_DISPLAY_NAME) ?? nameOf(found.DARKMATTER_AGENT_ID),
    bio: found.DARKMATTER_BIO,
    host: hostOf(found.DARKMATTER_HOST),
    port: found.DARKMATTER_PORT,
    discovery: found.DARKMATTER_DISCOVERY,
    discoveryPorts: found.DARKMATTER_DISCOVERY_PORTS,
    publicUrl: found.DARKMATTER_PUBLIC_URL,
    anchors: found.DARKMATTER_ANCHOR_NODES,
    stunServers: found.DARKMATTER_STUN,
    ipService: found.DARKMATTER_IP_SERVICE[0],
    portMapping: found.DARKMATTER_PORT_MAPPING,
    bootstrap: found.DARKMATTER_BOOTSTRAP,
    webRtc: found.DARKMATTER_WEBRTC,
    maxConnections: found.DARKMATTER_MAX_CONNECTIONS,
    inboxMax: found.DARKMATTER_INBOX_MAX,
    rateGlobal: found.DARKMATTER_RATE_GLOBAL,
    ratePerConnection: found.DARKMATTER_RATE_PER_CONNECTION,
    acceptStrangers: found.DARKMATTER_ACCEPT_STRANGERS,
    client: knownOr("DARKMATTER_CLIENT", found.DARKMATTER_CLIENT, CLIENTS, warnings),
    transport: found.DARKMATTER_TRANSPORT,
    routerMode:
      found.DARKMATTER_ROUTER_MODE === undefined
        ? undefined
        : knownOr("DARKMATTER_ROUTER_MODE", found.DARKMATTER_ROUTER_MODE, ROUTER_MODES, warnings),
    routerModule: found.DARKMATTER_ROUTER,
    agent: {
      enabled: found.DARKMATTER_AGENT_ENABLED,
      maxConcurrent: found.DARKMATTER_AGENT_MAX_CONCURRENT,
      maxPerHour: found.DARKMATTER_AGENT_MAX_PER_HOUR,
      timeoutMs: found.DARKMATTER_AGENT_TIMEOUT * 1000,
      minTrust: found.DARKMATTER_AGENT_MIN_TRUST,
      autonomous: found.DARKMATTER_AGENT_AUTONOMOUS,
      command: found.DARKMATTER_AGENT_COMMAND,
      args: found.DARKMATTER_AGENT_ARGS,
      envCleanup: found.DARKMATTER_AGENT_ENV_CLEANUP,
    },
    superagent: found.DARKMATTER_SUPERAGENT,
    solanaRpc: rpcOf(found.DARKMATTER_SOLANA_RPC),
    paymentMax: found.DARKMATTER_PAYMENT_MAX,
    wakeHook: found.DARKMATTER_WAKE_HOOK,
    wakeHookToken: found.DARKMATTER_WAKE_HOOK_TOKEN,
    stateFile: found.DARKMATTER_STATE_FILE,
    requestExpiryMs: found.DARKMATTER_REQUEST_EXPIRY * 1000,
    mirror: mirrorOf(found.DARKMATTER_LEDGER_URL, found.DARKMATTER_API_KEY, warnings),
    warnings,
  };
}

/** A ledger agent id in the same variable is never a name. */
function nameOf(value: string | undefined): string | undefined {
  return value === undefined || /^dm_[0-9a-f]{16}$/.test(value.trim()) ? undefined : value.trim();
}

/** A value with a scheme is the ledger server's URL, and never a bind address. */
function hostOf(value: string | undefined): string {
  return value === undefined || /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? "127.0.0.1" : value.trim();
}

/** @throws CONFIG_INVALID, without the key */
function mirrorOf(
  url: string | undefined,
  apiKey: string | undefined,
  warnings: string[],
): ServerAccess | undefined {
  if (url === undefined) return undefined;
  if (apiKey === undefined) {
    warnings.push("DARKMATTER_LEDGER_URL is set and DARKMATTER_API_KEY is not: nothing is mirrored");
    return undefined;
  }
  // It becomes a header: anything else would fail at each request.
  if (/^dm_sk_[0-9a-f]{48}$/.test(apiKey.trim())) return { url, apiKey: apiKey.trim() };
  throw nodeError("CONFIG_INVALID", "DARKMATTER_API_KEY must be an API key: dm_sk_ and 48 hex digits.");
}

/** A public server unless said otherwise; `none` is none. @throws CONFIG_INVALID */
function rpcOf(value: string | undefined): string | undefined {
  if (value === undefined) return SOLANA_RPC_DEFAULT;
  if (value.trim() === "none") return undefined;
  // Its path or query may hold a key of the provider: unlike other URLs it is told to nobody.
  if (/^https?:\/\/[^\s@]+$/i.test(value.trim())) return value.trim();
  throw nodeError(
    "CONFIG_INVALID",
    "DARKMATTER_SOLANA_RPC must be an http(s) URL without user name, or none.",
  );
}

/** Unknown values of these two warn and mean the default (mesh.md 14, 17). */
function knownOr<const T extends readonly [string, ...string[]]>(
  name: string,
  value: string | undefined,
  known: T,
  warnings: string[],
): T[number] {
  if (value === undefined) return known[0];
  if (known.includes(value.trim())) return value.trim();
  warnings.push(`${name} is none of ${known.join(", ")}: ${known[0]} is used`);
  return known[0];
}

/** `8100-8200`, or a list of ports and ranges: `8100,8200-8210`. */
function portsOf(value: string, context: z.RefinementCtx): number[] {
  const ports = new Set<number>();
  for (const part of value.split(",")) {
    const [, low, high = low] = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part) ?? [];
    const [from, to] = [portNumber.safeParse(low), portNumber.safeParse(high)];
    if (!from.success || !to.success || to.data < from.data || to.data - from.data >= DISCOVERY_PORTS_MAX) {
      context.addIssue(`must be ports of 1 to 65535 such as 8100-8200, at most ${DISCOVERY_PORTS_MAX}`);
      return z.NEVER;
    }
    for (let port = from.data; port <= to.data; port++) ports.add(port);
  }
  return [...ports];
}
