import { DAY_MS, type Random, SECOND_MS, sha256Hex } from "@darkmatter/core";

/** What lets somebody who is no agent write to ours: a name the owner gave it, and for how long it holds. */
export interface Token {
  readonly id: string;
  readonly name: string;
  /** Whether its messages may wake the agent and be handed to its helpers. */
  readonly mayWake: boolean;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/** What names a token everywhere: short, and nothing that could be taken for an agent's id or a sentence. */
export const TOKEN_NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/;
export const TOKENS_MAX = 50;
export const TOKEN_TTL_DEFAULT_MS = 30 * DAY_MS;
export const TOKEN_TTL_MAX_MS = 365 * DAY_MS;
export const TOKEN_TTL_MIN_MS = SECOND_MS;

const SECRET_BYTES = 32;
const PREFIX = "dma2a_";

/** The text a caller shows, told once. */
export const newSecret = (random: Random): string =>
  PREFIX + Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url");

/** What is kept of it. 256 random bits need no slow hash. */
export const hashOfSecret = (secret: string): string => sha256Hex(secret);

const CALLER = "a2a:";

/** In the place of an agent's id: whom a message is from that came by A2A. No agent's id looks like it. */
export const callerOf = ({ name }: Pick<Token, "name">): string => CALLER + name;

export const isCaller = (from: string): boolean => from.startsWith(CALLER);

export const nameOfCaller = (from: string): string => from.slice(CALLER.length);
