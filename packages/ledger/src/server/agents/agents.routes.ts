import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { inputOf } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import type { AgentLimit, Agents } from "./agents.ts";

/** ledger.md 1.4 */
export const AgentName = z
  .string()
  .regex(/^[A-Za-z0-9 _.-]{1,100}$/, "is 1 to 100 letters, digits, spaces and any of _.-");

/** Without control characters, which one engine refuses, and halves of surrogate pairs. */
const Words = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "holds a control character");
const Spawn = z.object({
  agentName: AgentName,
  role: Words.nullish(),
  provider: Words.nullish(),
  model: Words.nullish(),
});

/** What agents themselves may ask: who they are, and for agents of their own. */
export function agentRoutes({ clock }: LedgerServerPorts, ways: Ways, agents: Agents): Route[] {
  return [
    ways.byKey({
      method: "GET",
      path: "/api/me",
      summary: "Says whose key this is",
      contract: {
        tag: "agents",
        answers: { 200: { says: "the agent and its account" } },
        examples: [{ name: "a key", status: 200 }],
      },
      handle: async (_request, { agentId, agentName, account }) =>
        answer(200, { agentId, agentName, accountId: String(account) }),
    }),
    ways.byKey({
      method: "POST",
      path: "/api/agents/register",
      summary: "Registers another agent of the same account",
      body: "json",
      contract: {
        tag: "agents",
        request: Spawn,
        answers: {
          201: { says: "the agent, and its key, this once" },
          429: { says: "this account registered as many agents today as it may" },
        },
        examples: [
          { name: "an agent with a role", body: { agentName: "helper-1", role: "researcher" }, status: 201 },
          { name: "a name of forbidden characters", body: { agentName: "<helper>" }, status: 400 },
        ],
      },
      async handle({ json }, caller) {
        const { agentName, role = null, provider = null, model = null } = inputOf(Spawn, json);
        const made = await agents.spawn(caller, agentName, { role, provider, model });
        if ("resetsMs" in made) return agentLimitAnswer("spawn_limit", made, clock.now());
        return answer(201, {
          agentId: made.id,
          agentName: made.name,
          apiKey: made.key,
          createdAt: millisecondsTime(made.createdMs),
          spawnedBy: caller.agentId,
          meta: { role, provider, model },
          note: "The agent belongs to the same account as the one that registered it.",
          warning: KEY_WARNING,
        });
      },
    }),
  ];
}

export const KEY_WARNING = "Keep apiKey now: it is stored as a hash, and shown this once.";

/** 429, with when there may be more. */
export function agentLimitAnswer(
  refusal: "spawn_limit" | "agent_limit",
  { limit, resetsMs }: AgentLimit,
  nowMs: number,
) {
  const { message, code, hint } = serverError(refusal);
  return answer(
    429,
    { error: message, code, hint, limit, resets_at: millisecondsTime(resetsMs) },
    { "retry-after": String(Math.ceil((resetsMs - nowMs) / 1000)) },
  );
}
