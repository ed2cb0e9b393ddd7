import { HOUR_MS } from "@darkmatter/core";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { AgentName, KEY_WARNING } from "../agents/agents.routes.ts";
import type { Agents } from "../agents/agents.ts";
import { refusedAddress, type Ways } from "../callers.ts";
import { inputOf } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { Email } from "./accounts.routes.ts";
import { refuseStrangePage } from "./cookies.ts";

const Provision = z.object({
  email: Email,
  agentName: AgentName.nullish(),
  source: z.string().max(200).nullish(),
});
const FIRST_AGENT_NAME = "my-agent";

/** What `darkmatter init` asks: an account, an agent and its key in one step. */
export function provisionRoutes(ports: LedgerServerPorts, ways: Ways, agents: Agents): Route[] {
  const { config } = ports;
  return [
    ways.byAnyone({
      method: "POST",
      path: "/api/provision",
      summary: "Makes an account without a password, and its first agent",
      body: "json",
      contract: {
        tag: "accounts",
        request: Provision,
        answers: {
          201: { says: "the agent, and its key, this once" },
          409: { says: "the email is known; nothing was done" },
        },
        examples: [
          {
            name: "a new account",
            body: { email: "another.person@example.com", agentName: "planner" },
            status: 201,
          },
          { name: "an email that is known", body: { email: "{email}" }, status: 409 },
          { name: "no email", body: { email: "nobody" }, status: 400 },
        ],
      },
      async handle(request) {
        refuseStrangePage(request, config);
        const refused = await refusedAddress(ports, request, {
          act: "provision",
          limit: config.limits.provisionsAnHour,
          windowMs: HOUR_MS,
        });
        if (refused) return refused;
        const { email, agentName } = inputOf(Provision, request.json);
        const made = await agents.provision(email, agentName ?? FIRST_AGENT_NAME);
        return answer(201, {
          agentId: made.id,
          agentName: made.name,
          apiKey: made.key,
          email,
          dashboardUrl: `${config.baseUrl}/dashboard`,
          existingAccount: false,
          next: [
            "Put apiKey into DARKMATTER_API_KEY.",
            `Commit a first step: POST ${config.baseUrl}/api/commit`,
            "For the dashboard, ask the operator of this server for a token that sets your password.",
          ],
          note: KEY_WARNING,
        });
      },
    }),
  ];
}
