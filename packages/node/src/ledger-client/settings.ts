import { isLoopbackHost } from "@darkmatter/net";
import { readDotEnv } from "./dot-env.ts";
import { clientError } from "./errors.ts";

/** A ledger server, and who this is to it. */
export interface ServerSettings {
  /** `https://ledger.example.org`, without a slash at its end. */
  readonly host: string;
  readonly apiKey: string | undefined;
  /** The agent of the key, where it is written beside it. */
  readonly agentId: string | undefined;
}

/** Where settings come from. */
export interface SettingSources {
  /** `--host` */
  readonly host: string | undefined;
  /** `--insecure` */
  readonly isInsecure: boolean;
  /** The text of `.env` in the current folder. */
  readonly dotEnv: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is meant where nothing names a server. */
  readonly fallback?: string;
}

/** What one source says; a node's bind address or display name in the same variables is no business of a server. */
interface Said {
  readonly host: string | undefined;
  readonly apiKey: string | undefined;
  readonly agentId: string | undefined;
}

function saidIn(read: (name: string) => string | undefined): Said {
  const given = (name: string) => read(name)?.trim() || undefined;
  const [host, agentId] = [given("DARKMATTER_HOST"), given("DARKMATTER_AGENT_ID")];
  return {
    host: host !== undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(host) ? host : undefined,
    apiKey: given("DARKMATTER_API_KEY"),
    agentId: agentId !== undefined && /^dm_[0-9a-f]{16}$/.test(agentId) ? agentId : undefined,
  };
}

/** Where a node of this environment mirrors its log, commands look, too; a node reads no `.env`. */
function saidInEnvironment(env: SettingSources["env"]): Said {
  const said = saidIn((name) => env[name]);
  return { ...said, host: said.host ?? (env.DARKMATTER_LEDGER_URL?.trim() || undefined) };
}

/** The server that a command means, whoever this is to it. @throws SERVER_UNSET, HOST_INSECURE */
export function serverHost({ host, dotEnv, env, fallback, isInsecure }: SettingSources): string {
  const named =
    host ?? saidIn((name) => readDotEnv(dotEnv).get(name)).host ?? saidInEnvironment(env).host ?? fallback;
  if (named === undefined) throw clientError("SERVER_UNSET");
  return admittedHost(named, isInsecure);
}

/**
 * The server that a command means: `--host`, then `.env`, then the environment; its key from `.env`, then from the
 * environment. A key goes only to the server it stands beside: a folder's `.env` must not draw the environment's key
 * to a server of its choice, nor `--host` the key of another server.
 *
 * @throws SERVER_UNSET, HOST_INSECURE, KEY_OF_ANOTHER
 */
export function serverSettings(sources: SettingSources): ServerSettings {
  const file = readDotEnv(sources.dotEnv);
  const ofFile = saidIn((name) => file.get(name));
  const ofEnv = saidInEnvironment(sources.env);
  const host = serverHost(sources);
  // Whoever set the environment named its server for all folders; a folder names one for itself alone.
  const fileKey = ofFile.apiKey !== undefined && { ...ofFile, host: ofFile.host ?? ofEnv.host };
  const envKey = ofEnv.apiKey !== undefined && ofEnv;
  const keys = [fileKey, envKey].filter((one) => one !== false);
  const isTyped = sources.host !== undefined;
  const fitting = keys.find((one) => (one.host === undefined ? isTyped : isSameOrigin(one.host, host)));
  if (fitting) return { host, apiKey: fitting.apiKey, agentId: fitting.agentId };
  if (keys.length === 0) return { host, apiKey: undefined, agentId: undefined };
  const [first] = keys;
  const whose = first?.host === undefined ? "stands beside no server" : `is for ${originOf(first.host)}`;
  throw clientError("KEY_OF_ANOTHER", `The API key ${whose}, and is not sent to ${host}.`);
}

/** Whether a key is set at all, for whatever server. */
export function hasApiKey(dotEnv: string, env: SettingSources["env"]): boolean {
  return Boolean(readDotEnv(dotEnv).get("DARKMATTER_API_KEY")?.trim() || env.DARKMATTER_API_KEY?.trim());
}

/** @throws SERVER_UNSET for what is no URL, HOST_INSECURE */
function admittedHost(given: string, isInsecure: boolean): string {
  const url = URL.parse(given.trim());
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw clientError(
      "SERVER_UNSET",
      "The server must be an http(s) URL without user name, password or query.",
    );
  }
  if (url.protocol === "http:" && !isInsecure && !isLoopbackHost(url.hostname)) {
    throw clientError("HOST_INSECURE", `${url.origin} speaks plain HTTP and is not this machine.`);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

const originOf = (host: string) => URL.parse(host)?.origin ?? "another server";
const isSameOrigin = (one: string, other: string) => originOf(one) === URL.parse(other)?.origin;

/** What may be shown of a key: `dm_sk_1a2b••••••••9f0e`. */
export function maskedKey(key: string): string {
  return key.length < 24 ? "•".repeat(8) : `${key.slice(0, 10)}${"•".repeat(8)}${key.slice(-4)}`;
}
