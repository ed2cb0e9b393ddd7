import { AgentId } from "@darkmatter/core";
import { once } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, PEER_WORDS } from "../answers.ts";
import { meshError } from "../errors.ts";
import { requireConnection } from "../messages/send.ts";
import { unreachable } from "../peers.ts";
import type { Services } from "../services.ts";
import { IMPRESSION_NOTE_CODE_POINTS_MAX } from "./impression.ts";

const agentId = z.string().min(1).max(128);

const SetImpressionInput = z.object({
  agent_id: agentId,
  score: z.number().min(-1).max(1).optional().describe("-1 harmful, 0 unknown, 1 fully trusted."),
  note: z.string().max(IMPRESSION_NOTE_CODE_POINTS_MAX).optional().describe("Why; peers that ask see it."),
  impression: z.string().max(IMPRESSION_NOTE_CODE_POINTS_MAX).optional(),
});
const GetImpressionInput = z.object({ agent_id: agentId });
const AskImpressionInput = z.object({ ask_agent_id: agentId, about_agent_id: agentId });

export function impressionTools(services: Services): Tool[] {
  const { db, impressions, opinions, connections, glance } = services;
  const knowsSomebody = () => glance.now().connections > 0 || glance.now().pendingRequests > 0;

  return [
    tool({
      name: "darkmatter_set_impression",
      title: "Judge an agent",
      description: "Use this after working with an agent: your score guides you and the peers that ask you.",
      input: SetImpressionInput,
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
      visible: knowsSomebody,
      handle: (input, { callId }) =>
        answered(async () => {
          const about = input.agent_id;
          if (!AgentId.safeParse(about).success)
            throw meshError("BAD_REQUEST", "agent_id must be a full agent id.");
          // @NOTE the older seed gives a text alone, and an empty one to delete.
          if (input.impression === "" && input.score === undefined) {
            const was = await db.write((tx) => once(tx, callId, () => impressions.forget(tx, about)));
            if (!was) throw meshError("NOT_FOUND", "You have no impression of that agent.");
            return { success: true, agent_id: about, action: "deleted" };
          }
          if (input.score === undefined && input.note === undefined && input.impression === undefined) {
            throw meshError("BAD_REQUEST", "Give a score from -1 to 1, a note, or both.");
          }
          // Whether it is new is all that is kept for a repeated call: the note may be erased one day.
          const { created } = await db.write((tx) =>
            once(tx, callId, async () => {
              const before = await impressions.of(tx, about);
              const note = input.note ?? input.impression ?? before?.note ?? "";
              const set = await impressions.set(tx, about, input.score ?? before?.score ?? 0, note);
              tx.afterCommit(services.changed);
              return { created: set.created };
            }),
          );
          const { score = 0, note = "" } = (await impressions.of(db, about)) ?? {};
          return { success: true, agent_id: about, action: created ? "created" : "updated", score, note };
        }),
    }),
    tool({
      name: "darkmatter_get_impression",
      title: "My judgement of an agent",
      description: "Use this to recall what you think of an agent.",
      input: GetImpressionInput,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      visible: knowsSomebody,
      handle: (input) =>
        answered(async () => {
          const found = await impressions.of(db, input.agent_id);
          if (!found) return { agent_id: input.agent_id, has_impression: false };
          return { agent_id: input.agent_id, has_impression: true, score: found.score, note: found.note };
        }),
    }),
    tool({
      name: "darkmatter_ask_impression",
      title: "Ask a peer about an agent",
      description: "Use this to hear what a connected agent thinks of another before you trust it.",
      input: AskImpressionInput,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      visible: knowsSomebody,
      handle: (input) =>
        answered(async () => {
          const peer = await requireConnection(db, connections, input.ask_agent_id);
          const opinion = await opinions.ask(peer, input.about_agent_id).catch((error: unknown) => {
            throw unreachable(peer.url, error);
          });
          return {
            success: true,
            asked: peer.agentId,
            about: input.about_agent_id,
            has_impression: opinion !== undefined,
            impression: opinion?.note ?? null,
            ...(opinion && { score: opinion.score, peer_words: PEER_WORDS }),
          };
        }),
    }),
  ];
}
