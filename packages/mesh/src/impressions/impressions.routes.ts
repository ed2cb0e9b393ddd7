import { json, type Route, type RouteRequest, ready } from "@darkmatter/surface";
import { requireKey } from "../connections/peer-details.ts";
import { meshError } from "../errors.ts";
import { agentIdField, requireFields, textField } from "../fields.ts";
import { globalRate, local } from "../guards.ts";
import type { Services } from "../services.ts";

export function impressionRoutes(services: Services): Route[] {
  const { db, impressions } = services;

  async function answer({ params }: RouteRequest) {
    const about = params.agent_id ?? "";
    const found = await impressions.of(db, about);
    if (!found) return json(200, { agent_id: about, has_impression: false });
    const { score, note } = found;
    // @NOTE `impression` repeats the note for nodes of the first generation (mesh.md 5.1).
    return json(200, { agent_id: about, has_impression: true, score, note, impression: note });
  }

  const asked = (path: string): Route => ({
    method: "GET",
    path,
    summary: "What this agent thinks of another.",
    guards: [ready(services.isReady), globalRate(services)],
    body: "none",
    handle: answer,
  });

  return [
    asked("/__darkmatter__/impression/:agent_id"),
    // @NOTE the reference forgets to take `/mcp` off a peer's URL when it asks (mesh.md 5.1).
    asked("/mcp/__darkmatter__/impression/:agent_id"),
    {
      method: "POST",
      path: "/__darkmatter__/set_impression",
      summary: "Sets what this agent thinks of another. This machine only.",
      guards: [ready(services.isReady), local()],
      body: "json",
      async handle({ json: body }) {
        requireFields(body, ["agent_id", "score"]);
        const about = agentIdField(body, "agent_id") ?? "";
        requireKey(about, "agent_id");
        const { score } = body;
        if (typeof score !== "number" || !(Math.abs(score) <= 1)) {
          throw meshError("BAD_REQUEST", "score must be a number from -1 to 1");
        }
        const note = textField(body, "note") ?? "";
        const { impression } = await db.write(async (tx) => {
          tx.afterCommit(services.changed);
          return impressions.set(tx, about, score, note);
        });
        return json(200, { success: true, agent_id: about, score: impression.score });
      },
    },
  ];
}
