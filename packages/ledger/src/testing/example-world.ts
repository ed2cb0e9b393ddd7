import { fromHex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { spkiPem } from "@darkmatter/proof";
import type { Route, RouteExample } from "@darkmatter/surface";
import type { HandlerAnswer } from "@darkmatter/surface/testing";
import { createServerLog } from "../server/log/server-log.ts";
import { type TestServer, testServer } from "./test-server.ts";

/** What the placeholders of examples stand for. */
export type ExampleNames = Readonly<Record<string, string>>;

/** A server in which every example of its API can be run as it stands. */
export interface ExampleWorld extends AsyncDisposable {
  readonly server: TestServer;
  readonly names: ExampleNames;
  run(route: Route, example: RouteExample): Promise<HandlerAnswer>;
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
  const signUp = await asked("/auth/signup", "none", { email: EMAIL, password: PASSWORD });
  const session = (signUp.session as unknown as { access_token: string }).access_token;
  const {
    agentId = "",
    agentName = "",
    apiKey = "",
  } = await asked("/dashboard/agents", session, {
    agentName: "writer",
  });
  const commit = async (body: object) => (await asked("/api/commit", apiKey, body)).id ?? "";
  const trace = "trc_example";
  const root = await commit({ payload: { input: "question" }, traceId: trace });
  const middle = await commit({ payload: { output: "draft" }, traceId: trace, parentId: root });
  const ctx = await commit({ payload: { output: "answer" }, traceId: trace, parentId: middle });
  const other = await commit({ payload: { output: "elsewhere" } });
  const publicKey = Buffer.from(fromHex(keyOf(1)) ?? []).toString("base64url");
  await asked("/api/signing-keys", apiKey, { key_id: "office", public_key: publicKey });
  await asked("/api/agents/keys", apiKey, { keyId: "default", publicKey: spkiPem(keyOf(2)) });
  const { shareId = "" } = await asked(`/api/share/${ctx}`, apiKey, {});
  const checkpoint = await createServerLog(server.ports).checkpointNow();
  const admin = server.ports.config.adminSecret ?? "";
  const witness = await asked("/api/admin/witnesses", admin, { name: "w", publicKey: spkiPem(keyOf(3)) });

  const names: ExampleNames = {
    ctx,
    root,
    other,
    trace,
    agent: agentId,
    agentName,
    key: apiKey,
    share: shareId,
    signingKey: "office",
    agentKey: "default",
    checkpoint: checkpoint?.checkpoint_id ?? "",
    witness: witness.witness_id ?? "",
    email: EMAIL,
    password: PASSWORD,
  };
  const tokens = {
    key: apiKey,
    session,
    "key or session": apiKey,
    admin,
    anyone: undefined,
    witness: undefined,
  };
  const bodyOf = ({ body }: RouteExample): object | undefined =>
    body === undefined ? undefined : JSON.parse(filled(JSON.stringify(body), names));
  return {
    server,
    names,
    bodyOf,
    run(route, example) {
      const token = tokens[route.contract?.caller ?? "anyone"];
      return server.call({
        method: route.method,
        path: pathOf(route, example, names),
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(example.body !== undefined && { body: bodyOf(example) ?? {} }),
      });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const filled = (text: string, names: ExampleNames) =>
  text.replace(/\{(\w+)\}/g, (all, name) => names[name] ?? all);

function pathOf(route: Route, { params = {}, query = {} }: RouteExample, names: ExampleNames): string {
  const path = route.path.replace(/:(\w+)/g, (_, name) =>
    encodeURIComponent(filled(params[name] ?? "", names)),
  );
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, filled(value, names)]),
  ).toString();
  return search === "" ? path : `${path}?${search}`;
}
