import { isoTime, type JsonObject } from "@darkmatter/core";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, PEER_WORDS } from "../answers.ts";
import type { Services } from "../services.ts";

const LOOKS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true };

/** Longer texts of a document are left out: a peer wrote it. */
const DOCUMENT_TEXT_MAX = 2048;

/** What a well-known document may say (mesh.md 5.1, 5.8); another name could pass for a word of ours. */
const DOCUMENT_FIELDS = [
  "darkmatter",
  "anchor",
  "protocol_version",
  "agent_id",
  "agents_registered",
  "display_name",
  "public_key_hex",
  "bio",
  "status",
  "accepting_connections",
  "mesh_url",
  "mcp_url",
  "webrtc_enabled",
  "genome_version",
  "genome_author",
  "features",
];

function shownDocument(document: JsonObject): JsonObject {
  const shown = Object.entries(document).filter(
    ([name, value]) => DOCUMENT_FIELDS.includes(name) && JSON.stringify(value).length <= DOCUMENT_TEXT_MAX,
  );
  return Object.fromEntries(shown);
}

/** What to do with what was found. A node that only this machine can reach does not ask the network around. */
function nextStep(found: number, isOnLan: boolean): string {
  const first =
    found > 0
      ? 'Connect with darkmatter_connection(action="request", target_url=…).'
      : `Nobody else was found${isOnLan ? "" : " on this machine"}. Ask for the url of an agent elsewhere.`;
  return isOnLan
    ? first
    : `${first} Only this machine was searched: \`darkmatter up --lan\` makes the node hear and be heard by agents on the local network.`;
}

const NO_INPUT = z.object({});
const DiscoverDomainInput = z.object({ domain: z.string().min(1).max(2048) });

export function discoveryTools({ discovery, glance, ports }: Services): Tool[] {
  const isLonely = () => glance.now().connections < 2;

  return [
    tool({
      name: "darkmatter_discover_local",
      title: "Find agents nearby",
      description:
        "Use this to find agents on this machine, and on the local network after `darkmatter up --lan`; then connect to one by its url.",
      input: NO_INPUT,
      annotations: LOOKS,
      visible: isLonely,
      handle: () =>
        answered(async () => {
          if (!ports.config.discovery) {
            return {
              discovery_enabled: false,
              total: 0,
              peers: [],
              next_step: "Discovery is off (DARKMATTER_DISCOVERY). Connect with a target_url you were given.",
            };
          }
          const peers = await discovery.fresh();
          return {
            discovery_enabled: true,
            total: peers.length,
            peers: peers.map((peer) => ({
              agent_id: peer.agentId,
              url: peer.url,
              bio: peer.bio,
              status: peer.status,
              accepting: peer.accepting,
              last_seen: isoTime(peer.seenAtMs),
              source: peer.source,
            })),
            next_step: nextStep(peers.length, discovery.signals.isOn()),
            ...(peers.length > 0 && { peer_words: PEER_WORDS }),
          };
        }),
    }),
    tool({
      name: "darkmatter_discover_domain",
      title: "Find an agent at a domain",
      description: "Use this when you know a domain or URL and want to see which agent lives there.",
      input: DiscoverDomainInput,
      annotations: LOOKS,
      visible: isLonely,
      handle: (input) =>
        answered(async () => {
          const result = await discovery.domain(input.domain);
          if (!result.found) return { found: false, error: result.error };
          return { ...shownDocument(result.document), found: true, peer_words: PEER_WORDS };
        }),
    }),
  ];
}
