import { MINUTE_MS } from "@darkmatter/core";
import type { Answer, Route, RouteRequest } from "@darkmatter/surface";
import { z } from "zod";
import { bearerOf, refusedAddress, tooMany, type Ways } from "../callers.ts";
import { unauthorized } from "../errors.ts";
import { inputOf } from "../input.ts";
import { type Answerable, answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { Accounts, SignedIn } from "./accounts.ts";
import { cookiesOf, cookieTokens, refuseStrangePage, requireOwnPage } from "./cookies.ts";
import type { Sessions } from "./sessions.ts";
import { ACCESS_LIFE_MS, type Tokens } from "./tokens.ts";

const SIGN_IN_WINDOW_MS = 15 * MINUTE_MS;
/** Hashing takes time by the length, too. */
const PASSWORD_CHARACTERS_MAX = 1024;
const PASSWORD_CHARACTERS_MIN = 8;

/** RFC 5321 4.5.3.1: longer ones cannot be delivered. */
export const Email = z.email().max(254).toLowerCase();
const NewPassword = z.string().min(PASSWORD_CHARACTERS_MIN).max(PASSWORD_CHARACTERS_MAX);
const SignUp = z.object({ email: Email, password: NewPassword });
const LogIn = z.object({ email: Email, password: z.string().min(1).max(PASSWORD_CHARACTERS_MAX) });
const Refresh = z.object({ refresh_token: z.string().max(200).optional() });
const Forgot = z.object({ email: z.string().max(254) });
const Reset = z.object({ token: z.string().max(200), password: NewPassword });

const SUCCESS = { success: true } as const;
const SIGNED_IN = { 200: { says: "who it is, and a session: in the answer and as cookies" } };

interface Parts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
}

export function accountRoutes(ports: LedgerServerPorts, ways: Ways, parts: Parts): Route[] {
  return [
    ...logInRoutes(ports, ways, parts),
    ...sessionRoutes(ports, ways, parts),
    ...passwordRoutes(ports, ways, parts),
  ];
}

function logInRoutes(ports: LedgerServerPorts, ways: Ways, { accounts }: Parts): Route[] {
  const limited = signInLimit(ports);

  return [
    ways.byAnyone({
      method: "POST",
      path: "/auth/signup",
      summary: "Makes an account and logs in",
      body: "json",
      contract: {
        tag: "accounts",
        request: SignUp,
        answers: SIGNED_IN,
        examples: [
          {
            name: "a new person",
            body: { email: "new.person@example.com", password: "a long password" },
            status: 200,
          },
          { name: "an email that is known", body: { email: "{email}", password: "{password}" }, status: 400 },
        ],
      },
      handle: (request) =>
        limited(request, async () =>
          signedInAnswer(await accounts.signUp(inputOf(SignUp, request.json)), ports),
        ),
    }),
    ways.byAnyone({
      method: "POST",
      path: "/auth/login",
      summary: "Logs in",
      body: "json",
      contract: {
        tag: "accounts",
        request: LogIn,
        answers: SIGNED_IN,
        examples: [
          { name: "the right password", body: { email: "{email}", password: "{password}" }, status: 200 },
          { name: "a wrong one", body: { email: "{email}", password: "not this one" }, status: 400 },
        ],
      },
      handle: (request) =>
        limited(request, async () => {
          const signedIn = await accounts.logIn(inputOf(LogIn, request.json));
          return "tokens" in signedIn ? signedInAnswer(signedIn, ports) : tooMany(signedIn);
        }),
    }),
  ];
}

function sessionRoutes({ db, config }: LedgerServerPorts, ways: Ways, { sessions }: Parts): Route[] {
  return [
    ways.byAnyone({
      method: "POST",
      path: "/auth/logout",
      summary: "Ends a session",
      contract: {
        tag: "accounts",
        answers: { 200: { says: "the session, if there was one, is over everywhere" } },
        examples: [{ name: "without a session", status: 200 }],
      },
      async handle(request) {
        // Its answer takes the cookies away, whether they came along or not.
        if (request.headers.authorization === undefined) refuseStrangePage(request, config);
        const token = sessionTokenOf(request, config);
        if (token !== undefined) await db.write((tx) => sessions.end(tx, token));
        return { ...answer(200, SUCCESS), cookies: cookiesOf({ access: "", refresh: "" }, config) };
      },
    }),
    ways.byAnyone({
      method: "POST",
      path: "/api/auth/refresh",
      summary: "Renews a session by its refresh token, once",
      body: "json",
      contract: {
        tag: "accounts",
        request: Refresh,
        answers: { 200: { says: "new tokens, where the old one came: in the answer or as cookies" } },
        examples: [{ name: "a token that is none", body: { refresh_token: "dm_rt_" }, status: 401 }],
      },
      async handle(request) {
        const { refresh_token: sent } = inputOf(Refresh, request.json);
        const token = sent ?? cookieTokens(request).refresh;
        if (token === undefined) throw unauthorized("refresh");
        if (sent === undefined) requireOwnPage(request, config);
        const tokens = await db.write((tx) => sessions.refresh(tx, token));
        if (!tokens) throw unauthorized("refresh");
        // Scripts of a page, which never saw the cookie, do not see what follows on it either.
        if (sent === undefined) return { ...answer(200, SUCCESS), cookies: cookiesOf(tokens, config) };
        return answer(200, { ...SUCCESS, session: sessionOf(tokens) });
      },
    }),
  ];
}

function passwordRoutes(ports: LedgerServerPorts, ways: Ways, { accounts }: Parts): Route[] {
  const limited = signInLimit(ports);

  return [
    ways.byAnyone({
      method: "POST",
      path: "/auth/forgot-password",
      summary: "Says how a password is set anew: by a token of the operator's",
      body: "json",
      contract: {
        tag: "accounts",
        request: Forgot,
        answers: { 200: { says: "the same for every email" } },
        examples: [{ name: "any email", body: { email: "nobody@example.com" }, status: 200 }],
      },
      handle: (request) =>
        limited(request, async () => {
          inputOf(Forgot, request.json);
          return answer(200, {
            ...SUCCESS,
            note: "Ask the operator of this server for a token that sets your password.",
          });
        }),
    }),
    ways.byAnyone({
      method: "POST",
      path: "/auth/reset-password",
      summary: "Sets a password by a token of the operator's, and ends all sessions",
      body: "json",
      contract: {
        tag: "accounts",
        request: Reset,
        answers: { 200: { says: "the password is set" } },
        examples: [
          { name: "a token that is none", body: { token: "dm_pr_", password: "{password}" }, status: 400 },
        ],
      },
      handle: (request) =>
        limited(request, async () => {
          const { token, password } = inputOf(Reset, request.json);
          await accounts.resetPassword(token, password);
          return answer(200, SUCCESS);
        }),
    }),
  ];
}

/** What is open to guessing is counted by address, and closed to the pages of strange sites. */
function signInLimit(ports: LedgerServerPorts) {
  const { config } = ports;
  const kind = { act: "sign-in", limit: config.limits.signInsPerAddress, windowMs: SIGN_IN_WINDOW_MS };
  return async (request: RouteRequest, handle: () => Promise<Answer>): Promise<Answer> => {
    refuseStrangePage(request, config);
    return (await refusedAddress(ports, request, kind)) ?? handle();
  };
}

/** The token of the session to end. @throws cross_site where it came as a cookie from another site's page */
function sessionTokenOf(request: RouteRequest, config: LedgerServerPorts["config"]): string | undefined {
  if (request.headers.authorization !== undefined) return bearerOf(request);
  const { access, refresh } = cookieTokens(request);
  const token = access ?? refresh;
  if (token !== undefined) requireOwnPage(request, config);
  return token;
}

function signedInAnswer({ account, email, tokens }: SignedIn, { config }: LedgerServerPorts): Answer {
  const given = answer(200, { user: { id: String(account), email }, session: sessionOf(tokens) });
  return { ...given, cookies: cookiesOf(tokens, config) };
}

function sessionOf({ access, refresh }: Tokens): Answerable {
  return {
    access_token: access,
    refresh_token: refresh,
    expires_in: ACCESS_LIFE_MS / 1000,
    token_type: "bearer",
  };
}
