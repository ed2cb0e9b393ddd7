import { DAY_MS } from "@darkmatter/core";
import type { Job, Route } from "@darkmatter/surface";
import { accountByEmail } from "../accounts/accounts.store.ts";
import type { Ways } from "../callers.ts";
import { replayOf } from "../chains/replay.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { tipOfAccount } from "./demo.store.ts";
import { DEMO_EMAIL, makeDemo } from "./demo-chain.ts";

export interface Demo {
  readonly routes: readonly Route[];
  readonly jobs: readonly Job[];
}

/** The chain that anybody may look at (ledger.md 3.15): made at the start, or when it is first asked for. */
export function createDemo(ports: LedgerServerPorts, ways: Ways): Demo {
  const { db, clock, random } = ports;
  const make = () => db.write((tx) => makeDemo(tx, Math.floor(clock.now()), random));
  const find = async () => {
    const account = await accountByEmail(db, DEMO_EMAIL);
    const tip = account && (await tipOfAccount(db, account.id));
    return account && tip !== undefined ? { account: account.id, tip } : undefined;
  };

  const route = ways.byAnyone({
    method: "GET",
    path: "/api/demo",
    summary: "Replays a chain that anybody may look at",
    contract: {
      tag: "chains",
      answers: { 200: { says: "a replay of five steps, one of them a fork" } },
      examples: [{ name: "the demo", status: 200 }],
    },
    async handle() {
      let demo = await find();
      if (!demo) {
        await make();
        demo = await find();
      }
      const shown = demo && (await replayOf(ports, demo.account, demo.tip, WHOLE));
      if (!shown) throw new Error("the demo was made, and is not there");
      return answer(200, { ...shown, isDemo: true });
    },
  });
  return { routes: [route], jobs: [{ name: "ledger.demo", periodMs: DAY_MS, atStart: true, run: make }] };
}

const WHOLE = { mode: "full", limit: 100, from: 1 } as const;
