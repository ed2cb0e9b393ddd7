import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import type { Database } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { UNLIMITED } from "@darkmatter/surface";
import { callHandler, type HandlerAnswer, type HandlerCall } from "@darkmatter/surface/testing";
import { insertAccount } from "../server/accounts/accounts.store.ts";
import { makeAgent, NO_META } from "../server/agents/new-agent.ts";
import { DEFAULT_LIMITS, type LedgerServerConfig, type LedgerServerPorts } from "../server/ports.ts";
import { ledgerServerMigrations } from "../server/schema.ts";
import { createLedgerServer, type LedgerServer } from "../server/server.ts";
import { memoryWindows } from "../server/windows.ts";

/** 2026-11-21T10:00:00Z */
const START_MS = 1_795_255_200_000;
const SEED_BYTES = 32;
const LOG_SEED = 7;
/** Keeps nothing of what it verified. */
const verifier = createVerifier({ threads: "never" });

/** An agent of a test's server, with its key. */
export interface TestAgent {
  readonly id: string;
  readonly name: string;
  readonly account: number;
  readonly key: string;
}

/** A whole ledger server without a socket. Its limits are off unless a test sets them. */
export interface TestServer extends AsyncDisposable {
  readonly ports: LedgerServerPorts;
  readonly db: Database;
  readonly clock: ReturnType<typeof virtualClock>;
  readonly server: LedgerServer;
  /** A new account with one agent. */
  account(name?: string): Promise<TestAgent>;
  /** Another agent of an account. */
  agentOf(account: number, name: string): Promise<TestAgent>;
  /** Calls a route, with an agent's key where one is given. */
  call(
    call: Omit<HandlerCall, "method"> & { readonly method?: string },
    by?: TestAgent,
  ): Promise<HandlerAnswer>;
  /** Commits; the answer's JSON. Fails the test for any status but 200. */
  commit(by: TestAgent, body: object): Promise<Record<string, never> & { id: string }>;
}

export interface TestServerOptions {
  /** With the server's tables, empty; one in memory otherwise. It is closed with the server. */
  readonly db?: Database;
  readonly config?: Partial<LedgerServerConfig>;
  readonly limits?: Partial<typeof DEFAULT_LIMITS>;
  readonly ports?: Partial<LedgerServerPorts>;
}

export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const db = options.db ?? (await memoryDatabase(ledgerServerMigrations));
  const clock = virtualClock({ startMs: START_MS });
  const random = seededRandom(LOG_SEED);
  const unlimited = Object.fromEntries(
    Object.keys(DEFAULT_LIMITS).map((name) => [
      name,
      name === "payloadBytes" ? DEFAULT_LIMITS.payloadBytes : UNLIMITED,
    ]),
  ) as unknown as typeof DEFAULT_LIMITS;
  const ports: LedgerServerPorts = {
    db,
    clock,
    random,
    logKey: createSigner(new Uint8Array(SEED_BYTES).fill(LOG_SEED)),
    formerLogKeys: [],
    verifier,
    wire: noWire,
    passwords: plainPasswords,
    windows: memoryWindows(clock),
    publisher: undefined,
    report: () => undefined,
    config: {
      baseUrl: "http://ledger.test",
      limits: { ...unlimited, ...options.limits },
      trustProxy: false,
      adminSecret: "admin-secret-of-the-test",
      adminAgents: [],
      allowedOrigins: [],
      secureCookies: false,
      ...options.config,
    },
    ...options.ports,
  };
  const server = createLedgerServer(ports);
  await server.start();
  let accounts = 0;

  const agentOf = async (account: number, name: string): Promise<TestAgent> => {
    const agent = { ...NO_META, account, name, madeBy: "provision", spawnedBy: null } as const;
    const { id, key } = await db.write((tx) => makeAgent(tx, { ...agent, createdMs: clock.now() }, random));
    return { id, name, account, key };
  };
  const call: TestServer["call"] = (request, by) =>
    callHandler(server.handler, {
      method: request.body === undefined ? "GET" : "POST",
      ...request,
      headers: { ...(by && { authorization: `Bearer ${by.key}` }), ...request.headers },
    });

  return {
    ports,
    db,
    clock,
    server,
    agentOf,
    async account(name = "agent") {
      const email = `person-${++accounts}@example.test`;
      const id = await db.write((tx) => insertAccount(tx, { email, password: null, createdMs: clock.now() }));
      return agentOf(id ?? Number.NaN, name);
    },
    call,
    async commit(by, body) {
      const answer = await call({ path: "/api/commit", body }, by);
      if (answer.status !== 200) throw new Error(`commit: ${answer.status} ${answer.text}`);
      return answer.json as Record<string, never> & { id: string };
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await db.close();
    },
  };
}

const noWire: Wire = {
  async send() {
    throw new Error("This test has no network.");
  },
} as unknown as Wire;

/** Passwords as they are: no test waits for a slow hash. */
const plainPasswords = {
  hash: async (password: string) => `plain:${password}`,
  verify: async (password: string, hash: string | undefined) => hash === `plain:${password}`,
};
