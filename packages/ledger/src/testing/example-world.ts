import { fromHex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { spkiPem } from "@darkmatter/proof";
import type { Route, RouteContract, RouteExample } from "@darkmatter/surface";
import type { HandlerAnswer } from "@darkmatter/surface/testing";
import { createServerLog } from "../server/log/server-log.ts";
import { type TestServer, testServer } from "./test-server.ts";

/** What the placeholders of examples stand for. */
export type ExampleNames = Readonly<Record<string, string>>;

/** What callers are admitted by. */
export interface Credentials {
  readonly key: string;
  readonly session: string;
}

/** A server in which every example of its API can be run as it stands. */
export interface ExampleWorld extends AsyncDisposable {
  readonly server: TestServer;
  readonly names: ExampleNames;
  /** Of the account whose things `names` has. */
  readonly own: Credentials;
  /** Another account, with an agent of its own. */
  readonly stranger: Credentials;
  /** Runs an example as the account whose things `names` has, or with others. */
  run(route: Route, example: RouteExample, by?: Credentials, names?: ExampleNames): Promise<HandlerAnswer>;
  /** The body of an example as it is sent. */
  bodyOf(example: RouteExample): object | undefined;
}

const EMAIL = "ana@example.test";
const PASSWORD = "a long enough password";
const keyOf = (byte: number) => createSigner(new Uint8Array(32).fill(byte)).agentId;

export async function exampleWorld(): Promise<ExampleWorld> {
  const server = await testServer();
  const asked = async (path: string, token: string, body: object) => {
    const answer = await server.call({ path, body, headers: { authorization: `Bearer ${token}` } });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.json as Record<string, string>;
  };
  const signUp = async (email: string, name: string) => {
    const { session } = await asked("/auth/signup", "none", { email, password: PASSWORD });
    const { access_token: token } = session as unknown as { access_token: string };
    const agent = await asked("/dashboard/agents", token, { agentName: name });
    return { session: token, key: agent.apiKey ?? "", agentId: agent.agentId ?? "" };
  };
  const agentName = "writer";
  const own = await signUp(EMAIL, agentName);
  const stranger = await signUp("stranger@example.test", "stranger");
  const commit = async (body: object) => (await asked("/api/commit", own.key, body)).id ?? "";
  const trace = "trc_example";
  const root = await commit({ payload: { input: "question" }, traceId: trace });
  const middle = await commit({ payload: { output: "draft" }, traceId: trace, parentId: root });
  const ctx = await commit({ payload: { output: "answer" }, traceId: trace, parentId: middle });
  const other = await commit({ payload: { output: "elsewhere" } });
  const publicKey = Buffer.from(fromHex(keyOf(1)) ?? []).toString("base64url");
  await asked("/api/signing-keys", own.key, { key_id: "office", public_key: publicKey });
  await asked("/api/agents/keys", own.key, { keyId: "default", publicKey: spkiPem(keyOf(2)) });
  const { shareId = "" } = await asked(`/api/share/${ctx}`, own.key, {});
  const checkpoint = await createServerLog(server.ports).checkpointNow();
  const admin = server.ports.config.adminSecret ?? "";
  const witness = await asked("/api/admin/witnesses", admin, { name: "w", publicKey: spkiPem(keyOf(3)) });

  const names: ExampleNames = {
    ctx,
    root,
    other,
    trace,
    agent: own.agentId,
    agentName,
    key: own.key,
    share: shareId,
    signingKey: "office",
    agentKey: "default",
    checkpoint: checkpoint?.checkpoint_id ?? "",
    witness: witness.witness_id ?? "",
    email: EMAIL,
    password: PASSWORD,
  };
  const bodyOf = ({ body }: RouteExample, of: ExampleNames = names): object | undefined =>
    body === undefined ? undefined : JSON.parse(filled(JSON.stringify(body), of));
  const tokenOf = (caller: RouteContract["caller"] | undefined, by: Credentials) =>
    caller === "admin" ? admin : caller === "session" ? by.session : by.key;
  return {
    server,
    names,
    own,
    stranger,
    bodyOf,
    run(route, example, by = own, of = names) {
      const { caller } = route.contract ?? {};
      const isPublic = caller === "anyone" || caller === "witness";
      return server.call({
        method: route.method,
        path: pathOf(route, example, of),
        headers: isPublic ? {} : { authorization: `Bearer ${tokenOf(caller, by)}` },
        ...(example.body !== undefined && { body: bodyOf(example, of) ?? {} }),
      });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * Where a route's examples are run: those that only read in the given world, the others in one of their own, since they
 * revoke keys, end shares, log out.
 */
export async function worldFor({ method }: Route, shared: ExampleWorld): Promise<ExampleWorld> {
  return method === "GET" ? { ...shared, [Symbol.asyncDispose]: async () => undefined } : exampleWorld();
}

const filled = (text: string, names: ExampleNames) =>
  text.replace(/\{(\w+)\}/g, (all, name) => names[name] ?? all);

function pathOf(route: Route, { params = {}, query = {} }: RouteExample, names: ExampleNames): string {
  const path = route.path.replace(/:(\w+)/g, (_, name) =>
    encodeURIComponent(filled(params[name] ?? "", names)),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) search.set(name, filled(value, names));
  return search.size === 0 ? path : `${path}?${search}`;
}
