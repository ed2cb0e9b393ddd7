import { SECOND_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import type { Database, Read } from "@darkmatter/store";
import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { meshMigrations } from "../schema.ts";
import { fakeSolana, type TestNode, testNode } from "../testing.ts";

const RPC_ADDRESS = "5.6.7.9";
const CALL = { callId: "one call" };

/** The end of a process: what it was about to do at one step never happens, or happens and is not heard of. */
interface Death {
  readonly atStep: number;
  readonly when: "before" | "after";
}

/** Counts what a process does outside itself, and ends it at one such step. */
function mortal(death: Death | undefined) {
  let steps = 0;
  let isArmed = false;
  let isDead = false;
  const end = () => {
    isDead = true;
    throw new Error("the process has ended");
  };
  return {
    arm: () => {
      isArmed = true;
    },
    steps: () => steps,
    async step<T>(act: () => Promise<T>): Promise<T> {
      if (isDead) return end();
      const isLast = isArmed && steps++ === death?.atStep;
      if (isLast && death?.when === "before") return end();
      const result = await act();
      return isLast ? end() : result;
    },
    look<T>(act: () => Promise<T>): Promise<T> {
      return isDead ? Promise.reject(new Error("the process has ended")) : act();
    },
  };
}

/** Ana, who has money, and Bo; Ana's process may end while she pays, and is started again over what it wrote down. */
async function payingThrough(death: Death | undefined) {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(3);
  const internet = memoryInternet({ clock, random });
  const chain = fakeSolana();
  internet.host({ address: RPC_ADDRESS }).listen(80, chain.handler);
  const solanaRpc = `http://${RPC_ADDRESS}/`;

  const start = async (address: string, fill: number, db: Database, life = mortal(undefined)) => {
    const host = hosts.get(address) ?? internet.host({ address });
    hosts.set(address, host);
    const place = { host: address, port: 8100, seed: new Uint8Array(32).fill(fill) };
    const wire = {
      ...host.wire,
      request: (request: Parameters<typeof host.wire.request>[0]) =>
        life.step(() => host.wire.request(request)),
    };
    const node = await testNode({ clock, random, ...place, wire, db: endingWith(db, life), solanaRpc });
    return { node, listening: host.listen(8100, node.handler) };
  };
  const hosts = new Map<string, ReturnType<typeof internet.host>>();

  const [anaDb, boDb] = [await memoryDatabase(meshMigrations), await memoryDatabase(meshMigrations)];
  const life = mortal(death);
  const first = await start("192.168.7.10", 1, anaDb, life);
  const { node: bo } = await start("192.168.7.11", 2, boDb);
  const ana = first.node;
  await ana.tool("connection", { action: "request", target_url: bo.url });
  const { wallets } = (await ana.tool("get_identity")) as { wallets: { solana: string } };
  chain.bank.lamports.set(wallets.solana, 10_000_000_000n);

  const settle = async (...nodes: TestNode[]) => {
    await clock.settle();
    await Promise.all(nodes.map((node) => node.mesh.idle()));
  };
  life.arm();
  const pay = (node: TestNode) => node.tool("send_sol", { agent_id: bo.id, amount: 0.5 }, CALL);
  await pay(ana).catch(() => undefined);
  await settle(ana, bo);
  const steps = life.steps();

  first.listening[Symbol.dispose]();
  const { node: again } = await start("192.168.7.10", 1, anaDb);
  for (let seconds = 0; seconds < 20; seconds += 5) {
    for (const job of ["payments.finish", "outbox.retry"]) await again.job(job);
    await settle(again, bo);
    await clock.advance(5 * SECOND_MS);
    await bo.job("payments.check");
  }
  return { chain, ana: again, bo, pay, steps, settle: () => settle(again, bo) };
}

/** A database that a process takes with it. */
function endingWith(db: Database, life: ReturnType<typeof mortal>): Database {
  const get: Read["get"] = (sql, ...values) => life.look(() => db.get(sql, ...values));
  const all: Read["all"] = (sql, ...values) => life.look(() => db.all(sql, ...values));
  return {
    dialect: db.dialect,
    get,
    all,
    write: (body) => life.step(() => db.write(body)),
    purge: () => db.purge(),
    close: () => db.close(),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

async function heldBy(bo: TestNode) {
  const credits = await bo.db.all<{ raw: string }>("SELECT raw FROM mesh_credits");
  const inbox = await bo.db.all<{ metadata: string }>("SELECT metadata FROM mesh_inbox");
  const notices = inbox.filter(({ metadata }) => metadata.includes("solana_payment"));
  return { credits: credits.map(({ raw }) => raw), notices: notices.length };
}

const STEPS = (await payingThrough(undefined)).steps;

test("a payment takes several steps, each of which may be the last", () => {
  expect(STEPS).toBeGreaterThan(6);
});

const deaths = Array.from({ length: STEPS }, (_, atStep) => atStep).flatMap((atStep): Death[] => [
  { atStep, when: "before" },
  { atStep, when: "after" },
]);

test.each(deaths)(
  "a process that ends $when step $atStep of a payment pays once, and tells once",
  async (death) => {
    const { chain, ana, bo, pay, settle } = await payingThrough(death);
    const recorded = await ana.db.all<{ state: string }>("SELECT state FROM mesh_payments");
    // What was written down comes to its end by itself; what was not never left.
    if (recorded.length === 0) expect(chain.sent).toEqual([]);
    else expect(recorded).toEqual([{ state: "confirmed" }]);
    if (recorded.length > 0) expect(await heldBy(bo)).toEqual({ credits: ["500000000"], notices: 1 });

    // The session that asked does so again, as after every takeover.
    expect(await pay(ana)).toMatchObject({ success: true });
    await settle();
    expect(chain.landed.filter(({ error }) => error === null)).toHaveLength(1);
    expect(await heldBy(bo)).toEqual({ credits: ["500000000"], notices: 1 });
  },
);
