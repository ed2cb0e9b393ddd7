import { seededRandom, type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { createSigner, createVerifier, type Signer } from "@darkmatter/identity";
import type { Handler } from "@darkmatter/net";
import { type MemoryInternet, memoryInternet } from "@darkmatter/net/testing";
import { spkiPem } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import { callHandler, type HandlerAnswer } from "@darkmatter/surface/testing";
import { createServerLog, type ServerLog } from "../server/log/server-log.ts";
import type { LinesFile } from "../server/log/witness/lines-file.ts";
import {
  createWitnessServer,
  type WitnessServer,
  type WitnessServerPorts,
} from "../server/log/witness/witness-server.ts";
import { type TestAgent, type TestServer, type TestServerOptions, testServer } from "./test-server.ts";

const PORT = 8300;
export const WITNESS_URL = `http://192.168.9.2:${PORT}/witness`;
export const LOG_URL = `http://192.168.9.1:${PORT}`;
export const ADMIN = { authorization: "Bearer admin-secret-of-the-test" };

/** A file of lines that lasts as long as its test. */
export interface MemoryLines extends LinesFile {
  text: string;
  /** From now on an append fails, having written half of the line. */
  isFull: boolean;
}

export function memoryLines(text = ""): MemoryLines {
  const file: MemoryLines = {
    text,
    isFull: false,
    read: async () => file.text,
    async append(line) {
      if (file.isFull) throw new Error("no space left");
      file.text += `${line}\n`;
    },
    async cut(bytes) {
      file.text = Buffer.from(file.text).subarray(0, bytes).toString("utf8");
    },
    close: async () => undefined,
  };
  return file;
}

/** A ledger server with one agent, and a witness, each on a machine of its own. */
export interface WitnessedLog extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly internet: MemoryInternet;
  readonly server: TestServer;
  readonly log: ServerLog;
  readonly agent: TestAgent;
  readonly witnessSigner: Signer;
  readonly witness: WitnessServer;
  readonly file: MemoryLines;
  readonly reports: string[];
  /** Commits so often. */
  grow(commits: number): Promise<void>;
  /** Registers the witness; the answer. */
  register(body?: object): Promise<HandlerAnswer>;
  /** Asks the witness as a log would. */
  ask(body: object, remote?: string): Promise<HandlerAnswer>;
  /** A witness with the same key and file, as after a restart. */
  restarted(changes?: Partial<WitnessServerPorts>): Promise<WitnessServer>;
  /** Answers instead of the witness, until it is given `undefined`. */
  answers(handler: Handler | undefined): void;
}

export async function witnessedLog(
  options: { readonly db?: Database; readonly ports?: TestServerOptions["ports"] } = {},
): Promise<WitnessedLog> {
  const clock = virtualClock({ startMs: Date.parse("2026-11-21T10:00:00Z") });
  const internet = memoryInternet({ clock, random: seededRandom(5) });
  const [logHost, witnessHost] = [1, 2].map((at) => internet.host({ address: `192.168.9.${at}` }));
  if (!logHost || !witnessHost) throw new Error("two hosts");
  const reports: string[] = [];
  const report = (event: string, context: object) => void reports.push(`${event} ${JSON.stringify(context)}`);
  const server = await testServer({
    ...(options.db && { db: options.db }),
    ports: { clock, wire: logHost.wire, report, ...options.ports },
  });
  logHost.listen(PORT, server.server.handler);
  const witnessSigner = createSigner(new Uint8Array(32).fill(2));
  const file = memoryLines();
  const ports: WitnessServerPorts = {
    clock,
    signer: witnessSigner,
    verifier: createVerifier({ threads: "never" }),
    logKeys: [server.ports.logKey.agentId],
    logUrl: undefined,
    wire: witnessHost.wire,
    file,
    report,
    trustProxy: false,
  };
  const witness = createWitnessServer(ports);
  await witness.start();
  let instead: Handler | undefined;
  witnessHost.listen(PORT, (request) => (instead ?? witness.handler)(request));
  const agent = await server.account("ana");
  let calls = 0;

  return {
    clock,
    internet,
    server,
    log: createServerLog(server.ports),
    agent,
    witnessSigner,
    witness,
    file,
    reports,
    async grow(commits) {
      for (let at = 0; at < commits; at++) await server.commit(agent, { payload: { at } });
    },
    register: (body) =>
      server.call({
        path: "/api/admin/witnesses",
        headers: ADMIN,
        body: body ?? { name: "wit", publicKey: spkiPem(witnessSigner.agentId), endpointUrl: WITNESS_URL },
      }),
    // Each from an address of its own, unless a test is about that.
    ask: (body, remote = `10.0.${++calls >> 8}.${calls & 255}`) =>
      callHandler(witness.handler, { method: "POST", path: "/witness", body, remote }),
    async restarted(changes) {
      const again = createWitnessServer({ ...ports, ...changes });
      await again.start();
      return again;
    },
    answers(handler) {
      instead = handler;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
