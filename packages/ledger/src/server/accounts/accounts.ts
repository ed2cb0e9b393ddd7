import { HOUR_MS, hasCode, MINUTE_MS, reasonOf, sha256Hex } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { millisecondsTime } from "../../times.ts";
import { agentsOf } from "../agents/agents.store.ts";
import { serverError } from "../errors.ts";
import type { LedgerServerPorts, Taken } from "../ports.ts";
import { accountByEmail, insertAccount, lockAccount, setPassword } from "./accounts.store.ts";
import { audit } from "./audit.store.ts";
import { endSessionsOf, insertReset, resetAccount, spendReset } from "./sessions.store.ts";
import type { Sessions } from "./sessions.ts";
import { newResetToken, type Tokens } from "./tokens.ts";

/** Guesses at one email's password are counted over so long (ledger.md 1.6). */
const FAILURES_WINDOW_MS = 15 * MINUTE_MS;
const RESET_LIFE_MS = 24 * HOUR_MS;

export interface Credentials {
  /** Lower case. */
  readonly email: string;
  readonly password: string;
}

/** Somebody who just logged in. */
export interface SignedIn {
  readonly account: number;
  readonly email: string;
  readonly tokens: Tokens;
}

export interface Accounts {
  /** @throws sign_up_refused for an email that is known */
  signUp(credentials: Credentials): Promise<SignedIn>;
  /** What was taken where an email's password was guessed at too often. @throws credentials_wrong */
  logIn(credentials: Credentials): Promise<SignedIn | Taken>;
  /** Sets a password by a token of the operator's, and ends all sessions. @throws reset_token_invalid */
  resetPassword(token: string, password: string): Promise<void>;
}

export function createAccounts(
  { db, clock, passwords, windows, config, report }: LedgerServerPorts,
  sessions: Sessions,
): Accounts {
  const now = () => Math.floor(clock.now());

  /** Counts before the password is looked at: many guesses at once are as many as one after another. */
  async function countGuess(email: string) {
    const begunMs = clock.monotonic();
    const count = (amount: number) =>
      windows.take(`failures/${email}`, config.limits.failuresPerEmail, FAILURES_WINDOW_MS, amount);
    const taken = await count(1);

    async function takeBack(): Promise<void> {
      // In a later window it would take back somebody else's.
      if (clock.monotonic() - begunMs >= taken.resetMs) return;
      await count(-1).catch((error) => report("guess.kept", { reason: reasonOf(error) }));
    }
    return { taken, takeBack };
  }

  /** Between finding a password wrong and saying so nothing may fail. @throws credentials_wrong */
  async function opened({ email, password }: Credentials): Promise<SignedIn> {
    const found = await accountByEmail(db, email);
    const isRight = await passwords.verify(password, found?.password ?? undefined);
    if (!found || !isRight) throw serverError("credentials_wrong");
    const tokens = await db.write(async (tx) => {
      await lockAccount(tx, found.id);
      // A password that was reset meanwhile opens nothing any more.
      const { password: present } = (await accountByEmail(tx, email)) ?? {};
      if (present !== found.password) throw serverError("credentials_wrong");
      return sessions.begin(tx, found.id);
    });
    return { account: found.id, email, tokens };
  }

  return {
    async signUp({ email, password }) {
      // Hashed first, so that the time tells nothing about the email.
      const hash = await passwords.hash(password);
      return db.write(async (tx) => {
        const account = await insertAccount(tx, { email, password: hash, createdMs: now() });
        if (account === undefined) throw serverError("sign_up_refused");
        await audit(tx, { atMs: now(), account, act: "account.made" });
        return { account, email, tokens: await sessions.begin(tx, account) };
      });
    },

    async logIn(credentials) {
      const { taken, takeBack } = await countGuess(credentials.email);
      if (!taken.isAllowed) return taken;
      try {
        const signedIn = await opened(credentials);
        await takeBack();
        return signedIn;
      } catch (error) {
        // A fault of the server's closes no account. Nor is it a guess for nothing: whatever fails does so before the
        // password is looked at, or after it was found to be right.
        if (!hasCode(error, "credentials_wrong")) await takeBack();
        throw error;
      }
    },

    async resetPassword(token, password) {
      const tokenHash = sha256Hex(token);
      // Looked up before: nobody makes the server hash passwords with tokens that are none.
      if ((await resetAccount(db, tokenHash, now())) === undefined) throw serverError("reset_token_invalid");
      const hash = await passwords.hash(password);
      await db.write(async (tx) => {
        const account = await spendReset(tx, tokenHash, now());
        if (account === undefined) throw serverError("reset_token_invalid");
        await lockAccount(tx, account);
        await setPassword(tx, account, hash);
        await endSessionsOf(tx, account);
        await audit(tx, { atMs: now(), account, act: "password.set" });
      });
    },
  };
}

/** What an operator hands to the person of an account. */
export interface PasswordReset {
  /** For `POST /auth/reset-password`, once. */
  readonly token: string;
  readonly expiresAt: string;
  /** Whose keys go on: nobody proved that an email was theirs when they made an account with it. */
  readonly agents: readonly { readonly id: string; readonly name: string }[];
}

/** Lets the password of an account be set, once and within a day; `undefined` for an unknown email. */
export async function createPasswordReset(
  tx: Write,
  email: string,
  { clock, random }: Pick<LedgerServerPorts, "clock" | "random">,
): Promise<PasswordReset | undefined> {
  const account = await accountByEmail(tx, email.toLowerCase());
  if (!account) return undefined;
  const nowMs = Math.floor(clock.now());
  const token = newResetToken(random);
  await insertReset(tx, sha256Hex(token), account.id, nowMs + RESET_LIFE_MS);
  await audit(tx, { atMs: nowMs, account: account.id, act: "password.reset_offered" });
  const agents = (await agentsOf(tx, account.id)).map(({ id, name }) => ({ id, name }));
  return { token, expiresAt: millisecondsTime(nowMs + RESET_LIFE_MS), agents };
}
