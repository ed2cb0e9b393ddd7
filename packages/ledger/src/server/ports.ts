import type { Clock, Random } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import type { Database } from "@darkmatter/store";
import type { Report } from "../ports.ts";

/** Slow hashes of passwords: scrypt or argon2id, the parameters inside the text. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Costs the same whether there is a hash or not, so that nobody can tell by the time. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

/** The outcome of counting one act in a window of time. */
export interface Taken {
  readonly isAllowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the window is over. */
  readonly resetMs: number;
}

/** Counts acts by key; all processes of one server count together. */
export interface Windows {
  /** Counts `amount` (default 1) under a key, unless that would exceed `limit`; `UNLIMITED` always passes. */
  take(key: string, limit: number, windowMs: number, amount?: number): Promise<Taken>;
}

/** A key this log signed with before, and until when. */
export interface FormerLogKey {
  /** 64 hex. */
  readonly publicKey: string;
  readonly validUntil: string;
}

/** A folder that any web server can serve as it is. Names are relative, such as `checkpoints/7.json`. */
export interface PublicationFolder {
  /** The file's text; `undefined` when there is none. */
  read(name: string): Promise<string | undefined>;
  /** Writes a file so that a crash leaves the old one or the new one, whole. */
  replace(name: string, text: string): Promise<void>;
}

/** A small file of the server's home, beside its log's key. */
export interface LogMemory {
  /** Where it lies, for messages. */
  readonly place: string;
  /** Its text; `undefined` when there is none. */
  read(): Promise<string | undefined>;
  /** Writes it so that a crash leaves the old text or the new one, whole. */
  replace(text: string): Promise<void>;
}

/** Everything a ledger server stands on. */
export interface LedgerServerPorts {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** The log's key. */
  readonly logKey: Signer;
  readonly formerLogKeys: readonly FormerLogKey[];
  readonly verifier: Verifier;
  /** For asking witnesses. */
  readonly wire: Wire;
  readonly passwords: Passwords;
  readonly windows: Windows;
  /** Where checkpoints are published, if anywhere. */
  readonly publisher: PublicationFolder | undefined;
  /** Where it remembers how far the log had come; without one a log that was put back is not known as such. */
  readonly logMemory?: LogMemory | undefined;
  readonly report: Report;
  readonly config: LedgerServerConfig;
}

/** Limits of ledger.md 1.6; `UNLIMITED` for none. */
export interface LedgerServerLimits {
  readonly callsAMinute: number;
  readonly spawnsADay: number;
  /** That people make, with a session. */
  readonly agentsADay: number;
  readonly signInsPerAddress: number;
  readonly failuresPerEmail: number;
  readonly provisionsAnHour: number;
  readonly payloadBytes: number;
  /** Members of objects and items of arrays in one body: others wait while it is read. */
  readonly payloadValues: number;
  readonly agentBytesAnHour: number;
  readonly publicCallsAMinute: number;
}

export interface LedgerServerConfig {
  /** Without a slash at its end: what links in answers begin with. */
  readonly baseUrl: string;
  readonly limits: LedgerServerLimits;
  /** Believes X-Forwarded-For: only behind a proxy that sets it. */
  readonly trustProxy: boolean;
  /** For admin routes; `undefined` closes them. */
  readonly adminSecret: string | undefined;
  /** Agents that may call admin routes with their API key. */
  readonly adminAgents: readonly string[];
  /** Origins that pages may call from; none by default. */
  readonly allowedOrigins: readonly string[];
  /** Sessions' cookies carry `Secure`. */
  readonly secureCookies: boolean;
}

export const DEFAULT_LIMITS: LedgerServerLimits = {
  callsAMinute: 120,
  spawnsADay: 10,
  agentsADay: 100,
  signInsPerAddress: 20,
  failuresPerEmail: 5,
  provisionsAnHour: 10,
  payloadBytes: 10_000_000,
  payloadValues: 50_000,
  agentBytesAnHour: 100_000_000,
  publicCallsAMinute: 120,
};
