import {
  cutCodePoints,
  isAdmissibleKey,
  isJsonObject,
  type JsonObject,
  parseJson,
  reasonOf,
  SECOND_MS,
} from "@darkmatter/core";
import { baseUrl, validateUrl, type Wire } from "@darkmatter/net";
import { inParallel, type PeerAnswer, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";

/** A peer that is not seen again within this disappears (mesh.md 8). */
export const DISCOVERED_LIFETIME_MS = 90 * SECOND_MS;
/** Probes at once: a scan must not freeze the node (mesh.md 20). */
const SCAN_PARALLEL_MAX = 64;
const DISCOVERED_MAX = 500;
const BIO_SHOWN = 250;

export interface DiscoveredPeer {
  readonly agentId: string;
  readonly url: string;
  readonly bio: string;
  readonly status: string;
  readonly accepting: boolean;
  readonly source: "local";
  readonly seenAtMs: number;
}

/** Finding agents that are near (mesh.md 8). */
export interface Discovery {
  /** Asks every port of the range on this machine, then answers who is there. */
  scan(): Promise<readonly DiscoveredPeer[]>;
  /** Who was seen lately, without asking. */
  peers(): readonly DiscoveredPeer[];
  /** The document at a domain or URL. */
  domain(target: string): Promise<{ found: true; document: JsonObject } | { found: false; error: string }>;
  prune(): void;
}

const WELL_KNOWN = "/.well-known/darkmatter.json";

export function createDiscovery(
  { clock, config, signer, listening, wire }: MeshPorts,
  peers: Peers,
): Discovery {
  const seen = new Map<string, DiscoveredPeer>();

  function prune(): void {
    for (const [id, peer] of seen) if (clock.now() - peer.seenAtMs > DISCOVERED_LIFETIME_MS) seen.delete(id);
  }

  async function probe(port: number): Promise<void> {
    const url = `http://127.0.0.1:${port}`;
    const call = { url: `${url}${WELL_KNOWN}`, timeoutMs: TIMEOUT_MS.scan, reach: "private" as const };
    // Nobody listens on most ports: no answer is the usual one.
    const answer = await peers.get(call).catch(() => undefined);
    const document = answer && documentOf(answer);
    if (!document || document.agent_id === signer.agentId || seen.size >= DISCOVERED_MAX) return;
    seen.set(document.agent_id, {
      agentId: document.agent_id,
      url,
      bio: cutCodePoints(textOf(document.bio), BIO_SHOWN),
      status: document.status === "inactive" ? "inactive" : "active",
      accepting: document.accepting_connections === true,
      source: "local",
      seenAtMs: clock.now(),
    });
  }

  return {
    async scan() {
      const own = listening()?.port;
      const ports = config.discoveryPorts.filter((port) => port !== own);
      await inParallel(ports, SCAN_PARALLEL_MAX, probe);
      prune();
      return [...seen.values()];
    },

    peers() {
      prune();
      return [...seen.values()];
    },

    async domain(target) {
      const urls = /^[a-z]+:\/\//i.test(target) ? [target] : [`https://${target}`, `http://${target}`];
      let error = "";
      for (const url of urls) {
        const wrong = validateUrl(url);
        if (wrong) return { found: false, error: wrong };
        try {
          const document = documentOf(await fetchDocument(`${baseUrl(url)}${WELL_KNOWN}`, wire));
          if (document) return { found: true, document };
          return { found: false, error: "No DarkMatter node answers there." };
        } catch (failure) {
          error = reasonOf(failure);
        }
      }
      return { found: false, error };
    },

    prune,
  };
}

const decoder = new TextDecoder();

/** One redirect is followed, and only to a public address: a private one would be a way into this network. */
async function fetchDocument(url: string, wire: Wire): Promise<PeerAnswer> {
  const call = { method: "GET", timeoutMs: TIMEOUT_MS.domain } as const;
  const first = await wire.request({ ...call, url, reach: "private" });
  const to = first.headers.location;
  const redirected = first.status >= 300 && first.status < 400 && to !== undefined && URL.canParse(to, url);
  const answer = redirected
    ? await wire.request({ ...call, url: new URL(to, url).href, reach: "public", redirects: 3 })
    : first;
  const body = parseJson(decoder.decode(answer.body));
  return { status: answer.status, body: isJsonObject(body) ? body : {} };
}

/** A well-known document worth believing so far: it says what it is and its id is a key. */
function documentOf({ status, body }: PeerAnswer): (JsonObject & { agent_id: string }) | undefined {
  const { darkmatter, agent_id: agentId } = body;
  if (status !== 200 || darkmatter !== true || typeof agentId !== "string") return undefined;
  return isAdmissibleKey(agentId) && agentId === agentId.toLowerCase()
    ? { ...body, agent_id: agentId }
    : undefined;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
