import { sha256Hex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { bearerOf, type FindSession } from "../callers.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { audit } from "./audit.store.ts";
import { cookieTokens, requireOwnPage } from "./cookies.ts";
import {
  endSession,
  endSessionOfSpent,
  insertSession,
  replaceTokens,
  type SessionTokens,
  sessionByAccess,
} from "./sessions.store.ts";
import {
  ACCESS_LIFE_MS,
  ACCESS_TOKEN,
  familyOf,
  newFamily,
  newTokens,
  REFRESH_LIFE_MS,
  type Tokens,
} from "./tokens.ts";

/** Sessions of people: opaque tokens, new at each log-in, whatever a client brings along (ledger.md 1.5). */
export interface Sessions {
  begin(tx: Write, account: number): Promise<Tokens>;
  /**
   * New tokens for a refresh token, which is spent by that. One that was spent before ends its session: either its
   * holder or the one who spent it stole it.
   */
  refresh(tx: Write, refreshToken: string): Promise<Tokens | undefined>;
  /** Ends the session of a token, in all processes at once. */
  end(tx: Write, token: string): Promise<void>;
  readonly find: FindSession;
}

export function createSessions({ db, clock, random, config }: LedgerServerPorts): Sessions {
  const keptOf = ({ access, refresh }: Tokens): SessionTokens => ({
    accessHash: sha256Hex(access),
    accessEndsMs: now() + ACCESS_LIFE_MS,
    refreshHash: sha256Hex(refresh),
    refreshEndsMs: now() + REFRESH_LIFE_MS,
  });
  const now = () => Math.floor(clock.now());

  return {
    async begin(tx, account) {
      const family = newFamily(random);
      const tokens = newTokens(random, family);
      await insertSession(tx, sha256Hex(family), account, keptOf(tokens));
      await audit(tx, { atMs: now(), account, act: "session.begun" });
      return tokens;
    },

    async refresh(tx, refreshToken) {
      const family = familyOf(refreshToken);
      if (family === undefined) return undefined;
      const hash = sha256Hex(refreshToken);
      const tokens = newTokens(random, family);
      if (await replaceTokens(tx, hash, keptOf(tokens), now())) return tokens;
      const account = await endSessionOfSpent(tx, sha256Hex(family), hash);
      if (account !== undefined) await audit(tx, { atMs: now(), account, act: "session.refresh_reused" });
      return undefined;
    },

    end: (tx, token) => endSession(tx, sha256Hex(token)),

    async find(request) {
      const isBearer = request.headers.authorization !== undefined;
      const token = isBearer ? bearerOf(request) : cookieTokens(request).access;
      if (token === undefined || !ACCESS_TOKEN.test(token)) return undefined;
      const session = await sessionByAccess(db, sha256Hex(token), now());
      if (!session) return undefined;
      if (!isBearer) requireOwnPage(request, config);
      return { kind: "session", account: session.account, email: session.email };
    },
  };
}
