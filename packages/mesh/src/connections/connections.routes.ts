import { cutCodePoints } from "@darkmatter/core";
import { addressClass, isLoopbackUrl } from "@darkmatter/net";
import { isProxied, json, type Route, type RouteRequest, ready, refusal } from "@darkmatter/surface";
import { textField } from "../fields.ts";
import { globalRate, local } from "../guards.ts";
import type { Services } from "../services.ts";
import { isOverChannel } from "../transports/channel-exchange.ts";
import { shownLevel } from "../transports/shown-level.ts";
import type { Caller } from "./caller.ts";
import { acceptRequest } from "./connections.tools.ts";
import { setPeerTrust } from "./requests.store.ts";
import { shownRequest } from "./requests.ts";

export function connectionRoutes(services: Services): Route[] {
  const { db, requests, connections, handshake, impressions, opinions, peerUpdates } = services;
  const { background, connectivity, presence, router, upgrades, changed } = services;
  const isReady = ready(services.isReady);

  return [
    {
      method: "POST",
      path: "/__darkmatter__/connection_request",
      summary: "Asks this agent to connect.",
      guards: [isReady, presence.guard, globalRate(services)],
      body: "json",
      async handle(request) {
        const { answer, queued } = await db.write(async (tx) => {
          tx.afterCommit(changed);
          const received = await requests.receive(tx, request.json, callerOf(request));
          if (received.queued) await router.requested(tx, received.queued);
          return received;
        });
        if (queued) {
          background.start("connection.survey", async () => {
            const peerTrust = await opinions.survey(queued.agentId);
            await db.write((tx) => setPeerTrust(tx, queued.requestId, peerTrust));
          });
        }
        return json(200, answer);
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/connection_proof",
      summary: "Proves that a requester holds its key.",
      guards: [isReady],
      body: "json",
      async handle({ json: body }) {
        const proof = await requests.checkProof(db, body);
        await db.write((tx) => requests.prove(tx, proof));
        return json(200, { success: true, identity_verified: true });
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/connection_accepted",
      summary: "Tells this agent that its request was accepted.",
      guards: [isReady],
      body: "json",
      async handle(request) {
        const acceptance = await handshake.checkAcceptance(request.json);
        await db.write(async (tx) => {
          tx.afterCommit(changed);
          tx.afterCommit(() => connectivity.heard(acceptance.peer.agentId));
          return handshake.accepted(tx, acceptance);
        });
        return json(200, { success: true });
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/peer_update",
      summary: "A connected agent tells where it is now and what it does.",
      guards: [isReady, globalRate(services)],
      body: "json",
      async handle(request) {
        const update = await peerUpdates.check(db, request.json, callerOf(request));
        const moved = (await connections.get(db, update.agentId))?.url !== update.url;
        await db.write(async (tx) => {
          if (moved && !isOverChannel(request, update.agentId))
            tx.afterCommit(() => upgrades.peerMoved(update.agentId));
          tx.afterCommit(() => connectivity.heard(update.agentId));
          await peerUpdates.apply(tx, update);
        });
        return json(200, { success: true, updated: true });
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/accept_pending",
      summary: "Accepts a request to connect. This machine only.",
      guards: [isReady, local()],
      body: "json",
      async handle({ json: body }) {
        const requestId = textField(body, "request_id");
        if (!requestId) return refusal(400, "Missing request_id");
        const { success, accepted, agent_id, mutual } = await acceptRequest(services, requestId, undefined);
        return json(200, { success, accepted, agent_id, mutual });
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/pending_requests",
      summary: "Who wants to connect. This machine only.",
      guards: [isReady, local()],
      body: "none",
      async handle() {
        const pending = (await requests.pending(db)).map(shownRequest);
        return json(200, { count: pending.length, requests: pending });
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/connections",
      summary: "Whom this agent is connected to. This machine only.",
      guards: [isReady, local()],
      body: "none",
      async handle() {
        const all = await connections.all(db);
        const shown = await Promise.all(
          all.map(async (connection) => {
            const impression = await impressions.of(db, connection.agentId);
            return {
              agent_id: connection.agentId,
              display_name: connection.displayName,
              agent_url: connection.url,
              bio: cutCodePoints(connection.bio, BIO_SHOWN_CODE_POINTS),
              connected_at: connection.connectedAt,
              last_activity: connection.lastActivity,
              messages_sent: connection.messagesSent,
              messages_received: connection.messagesReceived,
              ...shownLevel(services.connectivity.of(connection.agentId)),
              ...(impression && { impression: { score: impression.score, note: impression.note } }),
            };
          }),
        );
        return json(200, { count: shown.length, connections: shown });
      },
    },
    {
      method: "GET",
      path: "/__darkmatter__/peer_lookup/:agent_id",
      summary: "Where a connected agent is reached.",
      guards: [isReady],
      body: "none",
      async handle(request) {
        const found = await connections.get(db, request.params.agent_id ?? "");
        // A loopback URL would mean the asker's own machine to it (mesh.md 20).
        const isOfUse = found && (!isLoopbackUrl(found.url) || callerOf(request).loopback);
        if (!isOfUse) return refusal(404, "Not connected to that agent");
        const { agentId, url, addresses } = found;
        return json(200, { agent_id: agentId, url, addresses, status: "connected" });
      },
    },
  ];
}

/** How much of a bio the local API shows. */
const BIO_SHOWN_CODE_POINTS = 250;

/** What the socket says of the caller. Behind a proxy the socket is the proxy's. */
export function callerOf(request: RouteRequest): Caller {
  if (isProxied(request)) return { loopback: false, local: false };
  const { loopback, address } = request.remote;
  return { loopback, local: loopback || addressClass(address) === "private" };
}
