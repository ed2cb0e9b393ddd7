import { timingSafeEqual } from "node:crypto";
import { isoTime, newUuid } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import type { MeshPorts } from "../ports.ts";
import {
  hashOfSecret,
  newSecret,
  TOKEN_NAME,
  TOKEN_TTL_DEFAULT_MS,
  TOKEN_TTL_MAX_MS,
  TOKEN_TTL_MIN_MS,
  TOKENS_MAX,
  type Token,
} from "./token.ts";
import { deleteToken, insertToken, readTokens } from "./tokens.store.ts";

/** Who may write to our agent without being one: whoever shows a token that the owner issued. */
export interface Tokens {
  /** A new token and its secret, which is nowhere kept. Throws BAD_REQUEST. */
  issue(tx: Write, wanted: WantedToken): Promise<{ token: Token; secret: string }>;
  list(tx: Read): Promise<readonly Token[]>;
  /** Ends a token, its tasks, and what of them still waits for our agent. Throws NOT_FOUND. */
  revoke(tx: Write, name: string): Promise<void>;
  /** The token that a secret belongs to; `undefined` for none that holds now. */
  holder(tx: Read, secret: string): Promise<Token | undefined>;
}

export interface WantedToken {
  readonly name: string;
  /** How long it holds; 30 days when undefined. */
  readonly ttlMs: number | undefined;
  readonly mayWake: boolean;
}

export function createTokens({ clock, random }: MeshPorts): Tokens {
  return {
    async issue(tx, { name, ttlMs = TOKEN_TTL_DEFAULT_MS, mayWake }) {
      if (!TOKEN_NAME.test(name)) {
        throw meshError(
          "BAD_REQUEST",
          "A token's name is 1 to 40 of a-z 0-9 . _ - and begins with one of a-z 0-9.",
        );
      }
      if (!(ttlMs >= TOKEN_TTL_MIN_MS && ttlMs <= TOKEN_TTL_MAX_MS)) {
        throw meshError("BAD_REQUEST", "A token holds for a second at least and for 365 days at most.");
      }
      const all = await readTokens(tx);
      if (all.some((other) => other.name === name)) {
        throw meshError(
          "BAD_REQUEST",
          `There is a token '${name}' already: revoke it, or take another name.`,
        );
      }
      if (all.length >= TOKENS_MAX)
        throw meshError("BAD_REQUEST", `There are ${TOKENS_MAX} tokens: revoke one first.`);
      const now = clock.now();
      const token = { id: newUuid(random), name, mayWake, createdAtMs: now, expiresAtMs: now + ttlMs };
      const secret = newSecret(random);
      await insertToken(tx, { ...token, secretHash: hashOfSecret(secret) });
      return { token, secret };
    },

    list: readTokens,

    async revoke(tx, name) {
      const token = (await readTokens(tx)).find((one) => one.name === name);
      if (!token) throw meshError("NOT_FOUND", "There is no such token.");
      await deleteToken(tx, token.id);
    },

    async holder(tx, secret) {
      const hash = Buffer.from(hashOfSecret(secret));
      const now = clock.now();
      let holder: Token | undefined;
      // All are compared, each in constant time: how long this takes tells nothing of any of them.
      for (const token of await readTokens(tx)) {
        if (timingSafeEqual(hash, Buffer.from(token.secretHash)) && now < token.expiresAtMs) holder = token;
      }
      return holder;
    },
  };
}

/** A token as its owner sees it. */
export const shownToken = ({ name, mayWake, createdAtMs, expiresAtMs }: Token, nowMs: number) => ({
  name,
  may_wake: mayWake,
  issued_at: isoTime(createdAtMs),
  expires_at: isoTime(expiresAtMs),
  expired: nowMs >= expiresAtMs,
});
