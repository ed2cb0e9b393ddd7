import { HOUR_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { LedgerServerPorts } from "../ports.ts";
import { forgetSessions } from "./sessions.store.ts";

export function accountJobs({ db, clock }: Pick<LedgerServerPorts, "db" | "clock">): Job[] {
  return [
    {
      name: "ledger.sessions",
      periodMs: HOUR_MS,
      async run() {
        await db.write((tx) => forgetSessions(tx, Math.floor(clock.now())));
      },
    },
  ];
}
