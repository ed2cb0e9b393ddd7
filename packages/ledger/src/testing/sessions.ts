import type { TestServer } from "./test-server.ts";

/** A person who is logged in. */
export interface TestPerson {
  readonly account: number;
  readonly email: string;
  readonly password: string;
  readonly access: string;
  readonly refresh: string;
  /** For a call as a program. */
  readonly bearer: { readonly authorization: string };
  /** For a call as a browser, without the `Origin` that its own pages send. */
  readonly cookies: { readonly cookie: string };
}

export const PASSWORD = "correct horse battery";

/** Makes an account over HTTP and logs in. */
export async function signedUp(server: TestServer, email: string): Promise<TestPerson> {
  return personOf(server, "/auth/signup", email);
}

export async function loggedIn(server: TestServer, email: string): Promise<TestPerson> {
  return personOf(server, "/auth/login", email);
}

async function personOf(server: TestServer, path: string, email: string): Promise<TestPerson> {
  const answer = await server.call({ path, body: { email, password: PASSWORD } });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  const { user, session } = answer.json as {
    user: { id: string };
    session: { access_token: string; refresh_token: string };
  };
  return {
    account: Number(user.id),
    email,
    password: PASSWORD,
    access: session.access_token,
    refresh: session.refresh_token,
    bearer: { authorization: `Bearer ${session.access_token}` },
    cookies: { cookie: answer.cookies.map((cookie) => cookie.split(";")[0]).join("; ") },
  };
}
