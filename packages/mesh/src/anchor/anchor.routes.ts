import { type Clock, cutCodePoints, SECOND_MS } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import type { Database } from "@darkmatter/store";
import { type Answer, type Guard, json, type Route, ready, refusal } from "@darkmatter/surface";
import { meshError } from "../errors.ts";
import { MESSAGE_ID_CODE_POINTS_MAX } from "../fields.ts";
import { countRegistrations, readRegistration } from "./anchor.store.ts";
import type { Buffers } from "./buffers.ts";
import {
  callerLimit,
  callerOf,
  newcomers,
  POLLS_A_MINUTE,
  POSTS_A_MINUTE,
  REGISTRATIONS_A_MINUTE,
  shareLimit,
} from "./callers.ts";
import { checkRegistration, lookUp, register } from "./directory.ts";
import { RELAY_BYTES_MAX, RELAY_KINDS, RELAYS, type RelayKind } from "./relay-kind.ts";

/** What the ways into an anchor stand on. */
export interface AnchorServices {
  readonly db: Database;
  readonly clock: Clock;
  readonly verifier: Verifier;
  readonly buffers: Buffers;
  readonly trustProxy: boolean;
  isReady(): boolean;
}

const BUFFERED = { success: true, buffered: true };

export function anchorRoutes(services: AnchorServices): Route[] {
  const { clock, trustProxy } = services;
  const isReady = ready(services.isReady);
  const posts = callerLimit(clock, POSTS_A_MINUTE, trustProxy);
  const polls = callerLimit(clock, POLLS_A_MINUTE, trustProxy);
  const share = shareLimit(clock, trustProxy);
  const relays = RELAY_KINDS.filter((kind) => kind !== "webhook");
  return [
    ...directoryRoutes(services, isReady),
    ...webhookRelayRoutes(services, [isReady, posts, share]),
    ...relays.map((kind) => relayRoute(services, kind, [isReady, posts, share])),
    ...RELAY_KINDS.map((kind) => pollRoute(services, kind, [isReady, polls])),
  ];
}

function directoryRoutes(services: AnchorServices, isReady: Guard): Route[] {
  const { db, clock, verifier, trustProxy } = services;
  const places = newcomers(clock);
  return [
    {
      method: "GET",
      path: "/.well-known/darkmatter.json",
      summary: "Says that this is an anchor, and how many agents it knows.",
      guards: [isReady],
      body: "none",
      async handle() {
        const registered = await countRegistrations(db);
        return json(200, {
          darkmatter: true,
          anchor: true,
          protocol_version: "0.2",
          agents_registered: registered,
        });
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/peer_update",
      summary: "An agent registers where it is; signed.",
      guards: [isReady, callerLimit(clock, REGISTRATIONS_A_MINUTE, trustProxy)],
      body: "json",
      maxBytes: RELAY_BYTES_MAX,
      async handle(request) {
        const registration = await checkRegistration(request.json, verifier, clock.now());
        const isKnown = (await readRegistration(db, registration.agentId)) !== undefined;
        // Ids cost nothing: whoever makes them by the thousand leaves places for others.
        if (!isKnown && !places.take(callerOf(request, trustProxy), 1)) {
          throw meshError("TOO_MANY", "Too many new agents of this address");
        }
        const registered = await db.write((tx) => register(tx, registration));
        return json(200, { success: true, registered });
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/peer_lookup/:agent_id",
      summary: "Where an agent said it is, within the last day.",
      guards: [isReady],
      body: "none",
      async handle({ params }) {
        const found = await lookUp(db, params.agent_id ?? "", clock.now());
        if (!found) return refusal(404, "Unknown agent");
        const { agentId, url, seenMs } = found;
        return json(200, { agent_id: agentId, url, last_seen: seenMs / SECOND_MS });
      },
    },
  ];
}

function webhookRelayRoutes({ buffers }: AnchorServices, guards: readonly Guard[]): Route[] {
  const path = "/__darkmatter__/webhook_relay/:agent_id/:message_id";
  const idOf = (params: Readonly<Record<string, string>>) =>
    cutCodePoints(params.message_id ?? "", MESSAGE_ID_CODE_POINTS_MAX);
  return [
    {
      method: "POST",
      path,
      summary: "Leaves what a message's holder tells its sender.",
      guards,
      body: "json",
      maxBytes: RELAY_BYTES_MAX,
      async handle({ params, json: data }): Promise<Answer> {
        await buffers.put("webhook", params.agent_id ?? "", { message_id: idOf(params), data });
        return json(200, BUFFERED);
      },
    },
    {
      method: "GET",
      path,
      summary: "Says that a webhook is relayed: what became of the message is not known here.",
      guards: guards.slice(0, 1),
      body: "none",
      handle: async ({ params }) => json(200, { status: "relay", message_id: idOf(params) }),
    },
  ];
}

function relayRoute({ buffers }: AnchorServices, kind: RelayKind, guards: readonly Guard[]): Route {
  return {
    method: "POST",
    path: `/__darkmatter__/${kind}_relay/:agent_id`,
    summary: `Leaves a ${kind} for an agent.`,
    guards,
    body: "json",
    maxBytes: RELAY_BYTES_MAX,
    async handle({ params, json: body }) {
      await buffers.put(kind, params.agent_id ?? "", body);
      return json(200, BUFFERED);
    },
  };
}

function pollRoute({ buffers }: AnchorServices, kind: RelayKind, guards: readonly Guard[]): Route {
  return {
    method: "GET",
    path: `/__darkmatter__/${kind}_relay_poll/:agent_id`,
    summary: `What lies here for an agent of kind ${kind}; signed, and handed out once.`,
    guards,
    body: "none",
    async handle({ params, search }) {
      const { entries, cursor } = await buffers.poll({
        kind,
        agentId: params.agent_id ?? "",
        signature: search.get("signature") ?? "",
        timestamp: search.get("timestamp") ?? "",
        after: search.get("after") ?? undefined,
      });
      return json(200, {
        success: true,
        [RELAYS[kind].list]: entries,
        ...(cursor !== undefined && { cursor }),
      });
    },
  };
}
