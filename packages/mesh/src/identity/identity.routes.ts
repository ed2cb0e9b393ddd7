import type { JsonObject } from "@darkmatter/core";
import { validateUrl } from "@darkmatter/net";
import { isProxied, json, type Route, type RouteRequest, ready, refusal } from "@darkmatter/surface";
import { FEATURES } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import { type Body, textField } from "../fields.ts";
import { local } from "../guards.ts";
import type { MeshPorts } from "../ports.ts";
import type { Services } from "../services.ts";
import { writeSetting } from "./identity.store.ts";
import type { Identity } from "./identity.ts";

/** Version of the wire protocol (mesh.md 5.1). */
const PROTOCOL_VERSION = "0.2";

export function identityRoutes(services: Services): Route[] {
  const { db, identity, connections, presence, limits, ports } = services;
  const isReady = ready(services.isReady);

  const get = (path: string, summary: string, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    summary,
    guards: [isReady],
    body: "none",
    handle,
  });
  const act = (path: string, summary: string, handle: (body: Body) => Promise<object>): Route => ({
    method: "POST",
    path: `/__darkmatter__/${path}`,
    summary: `${summary} This machine only.`,
    guards: [isReady, local()],
    body: "json",
    handle: async ({ json: body }) => json(200, await handle(body)),
  });

  async function wellKnown(request: RouteRequest) {
    const { displayName, bio } = await identity.profile(db);
    const base = toldBase(ports, identity, request);
    return json(200, {
      darkmatter: true,
      protocol_version: PROTOCOL_VERSION,
      agent_id: identity.agentId,
      display_name: displayName,
      public_key_hex: identity.agentId,
      bio,
      status: presence.status(),
      accepting_connections: await connections.hasRoom(db),
      mesh_url: `${base}/__darkmatter__`,
      mcp_url: `${base}/mcp`,
      webrtc_enabled: ports.webRtc !== undefined,
      genome_version: null,
      genome_author: null,
      features: FEATURES,
    });
  }

  async function status() {
    const { displayName, bio } = await identity.profile(db);
    return json(200, {
      agent_id: identity.agentId,
      display_name: displayName,
      public_key_hex: identity.agentId,
      bio,
      status: presence.status(),
      num_connections: await connections.count(db),
      accepting_connections: await connections.hasRoom(db),
      spawned_agents: services.delegations.running(),
      features: FEATURES,
    });
  }

  return [
    get("/.well-known/darkmatter.json", "Who this agent is and where it is reached.", wellKnown),
    get("/__darkmatter__/status", "Whether this agent is active.", status),
    get("/__darkmatter__/network_info", "This agent and whom it is connected to.", async () =>
      json(200, await networkInfo(services)),
    ),
    act("config", "Changes status, limits, name or superagent.", (body) => configure(services, body)),
    act("update_bio", "Changes the bio.", async (body) => {
      const bio = textField(body, "bio");
      if (!bio) throw meshError("BAD_REQUEST", "Missing required fields: bio");
      const kept = await db.write((tx) => identity.setBio(tx, bio));
      services.changed();
      services.tellPeers();
      return { success: true, bio: kept };
    }),
    act("update_display_name", "Changes the display name.", async (body) => {
      const name = textField(body, "display_name");
      if (!name) throw meshError("BAD_REQUEST", "Missing required fields: display_name");
      const kept = await db.write((tx) => identity.setDisplayName(tx, name));
      services.changed();
      services.tellPeers();
      return { success: true, display_name: kept };
    }),
    {
      method: "GET",
      path: "/__darkmatter__/genome",
      summary: "Which code this node runs; the code itself is not handed out. This machine only.",
      guards: [isReady, local()],
      body: "none",
      handle: async () =>
        json(200, {
          genome_version: null,
          genome_author: null,
          genome_parent: null,
          agent_id: identity.agentId,
        }),
    },
    {
      method: "POST",
      path: "/__darkmatter__/admin_update",
      summary: "Refused: nobody updates this node from outside (mesh.md 5.6).",
      guards: [],
      body: "none",
      handle: async () => refusal(403, "Remote updates are not supported"),
    },
  ];

  async function configure({ changed }: Services, body: Body): Promise<object> {
    const changes: JsonObject = {};
    await db.write(async (tx) => {
      const { status: wanted, rate_limit: rate, superagent_url: superagent, display_name: name } = body;
      if (wanted === "active" || wanted === "inactive") {
        await presence.set(tx, wanted, null);
        changes.status = wanted;
      }
      if (typeof rate === "number" && Number.isInteger(rate) && rate >= -1 && rate <= 1_000_000) {
        await limits.setConnectionDefault(tx, rate);
        changes.rate_limit = rate;
      }
      if (superagent === null || (typeof superagent === "string" && !validateUrl(superagent))) {
        await writeSetting(tx, "superagent_url", superagent ?? undefined);
        changes.superagent_url = superagent;
      }
      if (typeof name === "string" && name !== "")
        changes.display_name = await identity.setDisplayName(tx, name);
      tx.afterCommit(changed);
    });
    return { success: true, changes };
  }
}

/** This agent and its peers, as others may see them. */
export async function networkInfo({ db, identity, connections, wallets }: Services): Promise<JsonObject> {
  const { displayName, bio } = await identity.profile(db);
  const peers = (await connections.all(db)).map((peer) => ({
    agent_id: peer.agentId,
    agent_url: peer.url,
    agent_bio: peer.bio,
  }));
  return {
    agent_id: identity.agentId,
    display_name: displayName,
    public_key_hex: identity.agentId,
    agent_url: identity.base(),
    bio,
    accepting_connections: await connections.hasRoom(db),
    wallets: { ...wallets.addresses },
    peers,
  };
}

const HOST = /^[A-Za-z0-9.\-:[\]]{1,255}$/;

/** The base URL a caller is told. */
export function toldBase({ config }: MeshPorts, identity: Identity, request: RouteRequest): string {
  return config.publicUrl ? identity.base() : baseFromRequest(request, identity.base());
}

/** Without a public URL the caller is told the address it used; what does not look like one is not echoed. */
function baseFromRequest(request: RouteRequest, fallback: string): string {
  const host = request.headers.host ?? "";
  if (!HOST.test(host)) return fallback;
  const proto = request.headers["x-forwarded-proto"];
  const scheme = isProxied(request) && (proto === "https" || proto === "http") ? proto : "http";
  return `${scheme}://${host}`;
}
