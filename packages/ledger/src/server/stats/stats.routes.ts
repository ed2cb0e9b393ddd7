import type { Route } from "@darkmatter/surface";
import type { Ways } from "../callers.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";

export function statsRoutes(_ports: LedgerServerPorts, ways: Ways): Route[] {
  return [
    ways.byAnyone({
      method: "GET",
      path: "/healthz",
      summary: "Says that the process answers",
      contract: {
        tag: "operation",
        answers: { 200: { says: "it does" } },
        examples: [{ name: "alive", status: 200 }],
      },
      handle: async () => answer(200, { ok: true }),
    }),
  ];
}
