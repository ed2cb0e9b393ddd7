import {
  addressClass,
  bareHost,
  baseUrl,
  classOfLiteral,
  isInNetworks,
  isLocalUrl,
  isLoopbackUrl,
  isPrivateHost,
  parseUrl,
} from "@darkmatter/net";
import type { Connection } from "../connections/connection.ts";
import type { MeshPorts } from "../ports.ts";
import { webhookUrl } from "../webhooks/webhook.ts";
import { type PublicAddress, urlOf } from "./public-address.ts";

/** Where we are, as each agent is told it (mesh.md 9.1, docs/transports.md). */
export interface Addresses {
  /**
   * Our base URL without a trailing slash, as an agent at `peerUrl` reaches us: loopback on this machine, our LAN
   * address in our networks, the public one elsewhere and where no peer is named.
   */
  base(peerUrl?: string): string;
  /** Where an agent sends what becomes of a message of ours: our own webhook, or an anchor's when we cannot be called. */
  webhookFor(peer: Pick<Connection, "url"> | undefined, messageId: string): string;
  /** Where agents behind our router reach us; `undefined` when nothing but this machine does. */
  local(): { readonly ip: string; readonly port: number } | undefined;
  /** The host by which the Internet knows us. */
  publicHost(): string | undefined;
  /** Whether an agent at a URL is on this machine or in a network of ours. */
  isNear(url: string): boolean;
  /** Nobody beyond our own networks can call us. */
  behindNat(): boolean;
  /** Looks at this machine's own addresses. Whether any differs from the last look. Asks nobody. */
  look(): boolean;
  /** Finds the public address anew: asks the router, else the service. Whether it differs. Never rejects. */
  detect(): Promise<boolean>;
  /** Gives back what the router gave. */
  close(): Promise<void>;
}

type Place = "loopback" | "lan" | "elsewhere";

export function createAddresses(
  { config, listening, lanAddresses, lanNetworks, signer }: MeshPorts,
  publicAddress: PublicAddress,
  /** Whether a beacon was heard from an address: it is in a network of ours, however that is divided. */
  isHeardNear: (host: string) => boolean,
): Addresses {
  let seen = "";
  const configured = () => config.publicUrl?.replace(/\/+$/, "");
  const host = () => listening()?.host ?? "0.0.0.0";
  const port = () => listening()?.port ?? 0;
  const everywhere = () => host() === "0.0.0.0" || host() === "::";
  const onlyHere = () => host() === "localhost" || addressClass(host()) === "loopback";

  function placeOf(url: string): Place {
    if (isLoopbackUrl(url)) return "loopback";
    const host = hostOf(url);
    return host !== undefined && isPrivateHost(host) && isOurs(host) ? "lan" : "elsewhere";
  }

  /** Behind another router the same private addresses are other machines; only a literal one tells which network. */
  function isOurs(host: string): boolean {
    if (!lanNetworks || classOfLiteral(host) === undefined) return true;
    return isInNetworks(host, lanNetworks()) || isHeardNear(host);
  }

  /** Addresses of ours that we listen on and others may reach. */
  function reachable(): readonly string[] {
    if (onlyHere() || port() === 0) return [];
    return everywhere() ? lanAddresses() : [host()];
  }

  function lanUrl(peerUrl: string | undefined): string | undefined {
    const inside = reachable().filter((address) => addressClass(address) === "private");
    const nearest = nearestTo(peerUrl === undefined ? undefined : hostOf(peerUrl), inside);
    return nearest && urlOf(nearest, port());
  }

  function publicUrl(): string | undefined {
    const own = reachable().find((address) => addressClass(address) === "public");
    return configured() ?? (own ? urlOf(own, port()) : publicAddress.url());
  }

  const loopbackUrl = () => urlOf(onlyHere() && host() !== "localhost" ? host() : "127.0.0.1", port());

  function base(peerUrl?: string): string {
    const told = configured();
    // What the owner wrote about a local network is meant for everybody there.
    if (told && isLocalUrl(told)) return told;
    const place = peerUrl === undefined ? "elsewhere" : placeOf(peerUrl);
    if (place === "loopback" && (onlyHere() || everywhere())) return loopbackUrl();
    const near = place === "elsewhere" ? undefined : lanUrl(peerUrl);
    return near ?? publicUrl() ?? lanUrl(undefined) ?? loopbackUrl();
  }

  function behindNat(): boolean {
    const url = publicUrl();
    if (url === undefined || isLocalUrl(url)) return true;
    // Told by a service and none of ours: a router keeps it, and lets in only what was mapped.
    return configured() === undefined && url === publicAddress.url() && !publicAddress.isMapped();
  }

  function mayCall(peerUrl: string | undefined, url: string): boolean {
    const place = peerUrl === undefined ? "elsewhere" : placeOf(peerUrl);
    if (place === "loopback") return true;
    if (place === "lan" && !isLoopbackUrl(url)) return true;
    return !behindNat();
  }

  return {
    base,
    behindNat,
    isNear: (url) => placeOf(url) !== "elsewhere",

    webhookFor(peer, messageId) {
      const own = base(peer?.url);
      const [anchor] = config.anchors;
      if (anchor === undefined || mayCall(peer?.url, own)) return webhookUrl(own, messageId);
      return `${baseUrl(anchor)}/__darkmatter__/webhook_relay/${signer.agentId}/${messageId}`;
    },

    local() {
      const ip = reachable().find((address) => addressClass(address) === "private");
      return ip === undefined ? undefined : { ip, port: port() };
    },

    publicHost() {
      const url = publicUrl();
      return url === undefined || isLocalUrl(url) ? undefined : hostOf(url);
    },

    look() {
      const now = JSON.stringify([reachable(), port(), configured()]);
      const differs = now !== seen;
      seen = now;
      return differs;
    },

    async detect() {
      const own = reachable();
      const isKnown = configured() !== undefined || own.some((address) => addressClass(address) === "public");
      return own.length === 0 || isKnown ? publicAddress.forget() : publicAddress.detect(port());
    },

    close: () => publicAddress.close(),
  };
}

export function hostOf(url: string): string | undefined {
  const parsed = parseUrl(url);
  return typeof parsed === "string" ? undefined : bareHost(parsed.hostname);
}

/** The address that begins as the other does for longest: most likely in the same network. */
function nearestTo(host: string | undefined, addresses: readonly string[]): string | undefined {
  const [first] = addresses;
  if (host === undefined || first === undefined) return first;
  return addresses.reduce(
    (best, one) => (commonStart(one, host) > commonStart(best, host) ? one : best),
    first,
  );
}

/** How many whole parts two addresses begin with alike. */
function commonStart(one: string, other: string): number {
  const [left, right] = [one.split(/[.:]/), other.split(/[.:]/)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? left.length : at;
}
