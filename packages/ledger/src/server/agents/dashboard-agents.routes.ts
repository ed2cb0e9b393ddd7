import { parseUrl } from "@darkmatter/net";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import type { Ways } from "../callers.ts";
import { inputOf } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { agentLimitAnswer, KEY_WARNING } from "./agents.routes.ts";
import { agentsOf } from "./agents.store.ts";
import type { Agents } from "./agents.ts";

const NewAgent = z.object({
  agentName: z
    .string()
    .regex(/^[A-Za-z0-9 _.·:-]{1,100}$/, "is 1 to 100 letters, digits, spaces and any of _.-·:"),
});
/** Where it leads is looked at each time it is called; here it is an address that may be kept. */
const Webhook = z.object({
  webhookUrl: z.string().max(2048).refine(isWebhookUrl, "is no https URL without a password").nullable(),
  webhookSecret: z.string().min(1).max(1000).nullish(),
});
const Retention = z.object({ retentionDays: z.int().min(1).max(36_500).nullable() });

const NOT_FOUND = { 404: { says: "no agent of this account" } };
const UNKNOWN = { params: { id: "dm_0000000000000000" }, status: 404 };

export function dashboardAgentRoutes({ db, clock }: LedgerServerPorts, ways: Ways, agents: Agents): Route[] {
  return [
    ways.bySession({
      method: "GET",
      path: "/dashboard/agents",
      summary: "Lists the account's agents",
      contract: {
        tag: "agents",
        answers: { 200: { says: "the agents that are not ended, oldest first" } },
        examples: [{ name: "all", status: 200 }],
      },
      async handle(_request, { account }) {
        const rows = await agentsOf(db, account);
        return answer(
          200,
          rows.map((row) => ({
            agentId: row.id,
            agentName: row.name,
            apiKeyHint: row.key_hint,
            createdAt: millisecondsTime(row.created_ms),
            lastActive: row.last_active_ms === null ? null : millisecondsTime(row.last_active_ms),
            webhookUrl: row.webhook_url,
            retentionDays: row.retention_days,
          })),
        );
      },
    }),
    ways.bySession({
      method: "POST",
      path: "/dashboard/agents",
      summary: "Makes an agent",
      body: "json",
      contract: {
        tag: "agents",
        request: NewAgent,
        answers: {
          200: { says: "the agent, and its key, this once" },
          429: { says: "this account's people made as many agents today as they may" },
        },
        examples: [{ name: "an agent", body: { agentName: "Billing · EU" }, status: 200 }],
      },
      async handle({ json }, { account }) {
        const made = await agents.make(account, inputOf(NewAgent, json).agentName);
        if ("resetsMs" in made) return agentLimitAnswer("agent_limit", made, clock.now());
        return answer(200, {
          agentId: made.id,
          agentName: made.name,
          apiKey: made.key,
          createdAt: millisecondsTime(made.createdMs),
          note: KEY_WARNING,
        });
      },
    }),
    ...agentChangeRoutes(ways, agents),
  ];
}

function agentChangeRoutes(ways: Ways, agents: Agents): Route[] {
  return [
    ways.bySession({
      method: "POST",
      path: "/dashboard/agents/:id/rotate",
      summary: "Gives an agent a new key; the old one is refused from then on",
      contract: {
        tag: "agents",
        answers: { 200: { says: "the new key, this once" }, ...NOT_FOUND },
        examples: [{ name: "an unknown agent", ...UNKNOWN }],
      },
      async handle({ params }, { account }) {
        const id = params.id ?? "";
        return answer(200, { agentId: id, apiKey: await agents.rotateKey(account, id), rotated: true });
      },
    }),
    ways.bySession({
      method: "DELETE",
      path: "/dashboard/agents/:id",
      summary: "Ends an agent: its key is refused, its history stays",
      contract: {
        tag: "agents",
        answers: { 200: { says: "it is ended" }, ...NOT_FOUND },
        examples: [{ name: "an unknown agent", ...UNKNOWN }],
      },
      async handle({ params }, { account }) {
        await agents.end(account, params.id ?? "");
        return answer(200, { deleted: true });
      },
    }),
    ways.bySession({
      method: "POST",
      path: "/dashboard/agents/:id/webhook",
      summary: "Sets or removes where an agent is told of commits addressed to it",
      body: "json",
      contract: {
        tag: "agents",
        request: Webhook,
        answers: { 200: { says: "what is set now; the secret is not shown" }, ...NOT_FOUND },
        examples: [
          { name: "an unknown agent", body: { webhookUrl: "https://example.com/hook" }, ...UNKNOWN },
        ],
      },
      async handle({ params, json }, { account }) {
        const { webhookUrl, webhookSecret = null } = inputOf(Webhook, json);
        const id = params.id ?? "";
        await agents.setWebhook(account, id, webhookUrl, webhookUrl === null ? null : webhookSecret);
        const hasSecret = webhookUrl !== null && webhookSecret !== null;
        return answer(200, { agentId: id, webhookUrl, hasSecret });
      },
    }),
    ways.bySession({
      method: "POST",
      path: "/dashboard/agents/:id/retention",
      summary: "Says how many days an agent's payloads are kept; null keeps them",
      body: "json",
      contract: {
        tag: "agents",
        request: Retention,
        answers: { 200: { says: "what is set now" }, ...NOT_FOUND },
        examples: [{ name: "an unknown agent", body: { retentionDays: 30 }, ...UNKNOWN }],
      },
      async handle({ params, json }, { account }) {
        const { retentionDays } = inputOf(Retention, json);
        const id = params.id ?? "";
        await agents.setRetention(account, id, retentionDays);
        return answer(200, { agentId: id, retentionDays });
      },
    }),
  ];
}

function isWebhookUrl(text: string): boolean {
  const url = parseUrl(text);
  return typeof url !== "string" && url.protocol === "https:";
}
