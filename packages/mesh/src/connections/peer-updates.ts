import { isFresh, isoTime, MINUTE_MS, parseTime, SECOND_MS } from "@darkmatter/core";
import { peerUpdateText, signText } from "@darkmatter/identity";
import { isLoopbackUrl } from "@darkmatter/net";
import type { Read, Write } from "@darkmatter/store";
import type { Addresses } from "../addresses/addresses.ts";
import { meshError } from "../errors.ts";
import {
  agentIdField,
  BIO_CODE_POINTS_MAX,
  type Body,
  cutField,
  lineField,
  listField,
  NAME_CODE_POINTS_MAX,
  textField,
  textsField,
} from "../fields.ts";
import type { Identity } from "../identity/identity.ts";
import { inParallel, PARALLEL_CALLS_MAX, type PeerAnswer, type Peers, TIMEOUT_MS } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Outcome, Transports } from "../transports/transport.ts";
import { type Caller, refuseForeignLoopback } from "./caller.ts";
import { type Connection, endpoint, FEATURES, FEATURES_MAX, type PeerUpdate } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { validateAgentUrl } from "./peer-details.ts";
import { addFeatures, applyPeerUpdate } from "./peer-updates.store.ts";
import { lanUrlOf } from "./peer-urls.ts";

/** Telling peers what changed about us, and hearing it of them (mesh.md 5.4, 9.2). */
export interface PeerUpdates {
  /**
   * Tells every connection and anchor, or those in our own networks (`near`) and the rest (`far`) apart. Those that did
   * not take it are told again after 5, 15 and 30 s, by `retry`.
   */
  broadcast(part?: "near" | "far"): Promise<void>;
  /** Tells those that did not take it and whose turn it is. */
  retry(): Promise<void>;
  /** Tells the anchors; the silent ones are told again as peers are. */
  announce(): Promise<void>;
  /** Tells one peer, which may have missed what was said before. */
  tell(peer: Connection): Promise<void>;
  /** Whether a peer did not take what it was told. */
  owes(agentId: string): boolean;
  /** Tells a peer that did not take it before. */
  catchUp(agentId: string): Promise<void>;
  /** Reads and verifies an update. Throws with the status of mesh.md 5.4. */
  check(tx: Read, body: Body, caller: Caller): Promise<PeerUpdate>;
  /** Throws FORBIDDEN for an update older than one that was taken. */
  apply(tx: Write, update: PeerUpdate): Promise<void>;
}

/** Told again so long after each attempt that nobody took (mesh.md 20). */
const AGAIN_AFTER_MS = [5 * SECOND_MS, 15 * SECOND_MS, 30 * SECOND_MS] as const;
/** How far ahead of our clock an update may be dated: the peer's may differ from ours as well (mesh.md 2). */
const AHEAD_MAX_MS = 2 * MINUTE_MS;
/** Peers remembered as not told for longer than the attempts last, so that they are told once they are heard. */
const UNTOLD_MAX = 1000;

interface Untold {
  readonly attempts: number;
  /** By the monotonic clock; `undefined`: not by itself any more. */
  readonly dueAtMs: number | undefined;
}

export interface PeerUpdateServices {
  readonly addresses: Addresses;
  readonly connections: Connections;
  readonly identity: Identity;
  readonly peers: Peers;
  readonly transports: Transports;
}

export function createPeerUpdates(
  { db, clock, config, signer, verifier, webRtc }: MeshPorts,
  { addresses, connections, identity, peers: wire, transports }: PeerUpdateServices,
): PeerUpdates {
  /** By agent id, or an anchor's URL. */
  const untold = new Map<string, Untold>();
  const telling = new Set<string>();
  let lastToldMs = 0;

  /** Never earlier than what was said before: a clock set back must not make us unheard. */
  function nextTime(): number {
    const now = clock.now();
    lastToldMs = Math.max(now, Math.min(lastToldMs + 1, now + AHEAD_MAX_MS));
    return lastToldMs;
  }

  async function bodyFor(peerUrl: string | undefined, atMs: number) {
    const { bio, displayName } = await identity.profile(db);
    const newUrl = addresses.base(peerUrl);
    const timestamp = isoTime(atMs);
    const local = addresses.local();
    return {
      agent_id: signer.agentId,
      new_url: newUrl,
      addresses: {
        http: newUrl,
        ...(webRtc && { webrtc: "available" }),
        ...(config.anchors.length > 0 && addresses.behindNat() && { anchor_relay: "anchor-relay" }),
      },
      timestamp,
      bio,
      display_name: displayName,
      features: FEATURES,
      ...(local && { lan_ip: local.ip, local_port: local.port }),
      public_key_hex: signer.agentId,
      signature: signText(signer, peerUpdateText({ agentId: signer.agentId, newUrl, timestamp })),
    };
  }

  async function tellPeer(peer: Connection, atMs: number): Promise<void> {
    const body = await bodyFor(peer.url, atMs);
    telling.add(peer.agentId);
    try {
      const request = { method: "POST", path: "peer_update", body, timeoutMs: TIMEOUT_MS.post } as const;
      if (wasTaken(await transports.call(peer, request))) untold.delete(peer.agentId);
      else putOff(peer.agentId);
    } finally {
      telling.delete(peer.agentId);
    }
  }

  async function tellAnchor(anchor: string, atMs: number): Promise<void> {
    const call = {
      url: endpoint(anchor, "peer_update"),
      timeoutMs: TIMEOUT_MS.post,
      reach: "private",
    } as const;
    const body = await bodyFor(undefined, atMs);
    const answer = await wire.post(call, body).catch(() => undefined);
    if (answer && isLastWord(answer)) untold.delete(anchor);
    else putOff(anchor);
  }

  const tellAnchors = (anchors: readonly string[], atMs = nextTime()) =>
    inParallel(anchors, PARALLEL_CALLS_MAX, (anchor) => tellAnchor(anchor, atMs));

  function putOff(whom: string): void {
    const attempts = untold.get(whom)?.attempts ?? 0;
    const wait = AGAIN_AFTER_MS[attempts];
    if (!untold.has(whom) && untold.size >= UNTOLD_MAX) return;
    untold.set(whom, {
      attempts: attempts + 1,
      dueAtMs: wait === undefined ? undefined : clock.monotonic() + wait,
    });
  }

  function tellAll(peers: readonly Connection[], atMs = nextTime()) {
    return inParallel(peers, PARALLEL_CALLS_MAX, (peer) => tellPeer(peer, atMs));
  }

  return {
    async broadcast(part) {
      const all = await connections.all(db);
      const peers = all.filter(
        ({ url }) => part === undefined || addresses.isNear(url) === (part === "near"),
      );
      for (const { agentId } of peers) untold.delete(agentId);
      const atMs = nextTime();
      await Promise.all([
        tellAll(peers, atMs),
        part === "near" ? undefined : tellAnchors(config.anchors, atMs),
      ]);
    },

    async retry() {
      const now = clock.monotonic();
      const due = [...untold].flatMap(([whom, { dueAtMs }]) =>
        dueAtMs !== undefined && dueAtMs <= now ? [whom] : [],
      );
      if (due.length === 0) return;
      const anchors = config.anchors.filter((anchor) => due.includes(anchor));
      const peers = (await connections.all(db)).filter(({ agentId }) => due.includes(agentId));
      const there = new Set([...anchors, ...peers.map(({ agentId }) => agentId)]);
      for (const gone of due.filter((whom) => !there.has(whom))) untold.delete(gone);
      await Promise.all([tellAll(peers), tellAnchors(anchors)]);
    },

    announce: async () => void (await tellAnchors(config.anchors)),
    tell: async (peer) => void (await tellAll([peer])),

    // Its own answer to what it is being told is a sign of life as well.
    owes: (agentId) => untold.has(agentId) && !telling.has(agentId),

    async catchUp(agentId) {
      untold.delete(agentId);
      const peer = await connections.get(db, agentId);
      if (peer) await tellAll([peer]);
    },

    async check(tx, body, caller) {
      const agentId = agentIdField(body, "agent_id");
      const newUrl = lineField(body, "new_url");
      if (!agentId || !newUrl) throw meshError("BAD_REQUEST", "Missing agent_id or new_url");
      const wrong = validateAgentUrl(newUrl);
      if (wrong) throw meshError("BAD_REQUEST", wrong);
      refuseForeignLoopback(newUrl, caller.loopback);
      const timestamp = lineField(body, "timestamp") ?? "";
      const update = {
        agentId,
        url: newUrl,
        addresses: addressesOf(body, newUrl, caller),
        lanUrl: lanUrlOf(body.lan_ip, body.local_port),
        bio: cutField(body, "bio", BIO_CODE_POINTS_MAX),
        displayName: cutField(body, "display_name", NAME_CODE_POINTS_MAX),
        features: listField(body, "features").filter((feature) => feature.length <= 64),
        toldAtMs: parseTime(timestamp) ?? 0,
      };
      const key = textField(body, "public_key_hex")?.toLowerCase();
      const signature = textField(body, "signature");

      if (!(await connections.get(tx, agentId))) throw meshError("NOT_FOUND", "Unknown agent");
      if (!signature) throw meshError("FORBIDDEN", "Signature required — known public key on file");
      if (!isFresh(timestamp, clock.now())) throw meshError("FORBIDDEN", "Timestamp expired");
      if (key !== undefined && key !== agentId) throw meshError("FORBIDDEN", "Public key mismatch");
      const text = peerUpdateText({ agentId, newUrl, timestamp });
      if (text === undefined || !(await verifier.verify(agentId, text, signature))) {
        throw meshError("FORBIDDEN", "Invalid signature");
      }
      return update;
    },

    async apply(tx, update) {
      const known = await connections.get(tx, update.agentId);
      if (!known) throw meshError("NOT_FOUND", "Unknown agent");
      if (!(await applyPeerUpdate(tx, update))) throw meshError("FORBIDDEN", "A later update is known");
      const features = [...new Set([...known.features, ...update.features])].slice(0, FEATURES_MAX);
      if (features.length > known.features.length) await addFeatures(tx, update.agentId, features);
    },
  };
}

/** A loopback address of another machine is told to nobody, under no name. */
function addressesOf(body: Body, newUrl: string, caller: Caller): Record<string, string> {
  const given = Object.entries(textsField(body, "addresses"));
  const kept = given.filter(([, address]) => caller.loopback || !isLoopbackUrl(address));
  return kept.length > 0 ? Object.fromEntries(kept) : { http: newUrl };
}

/** Whether the peer, or a relay for it, has it. */
const wasTaken = (outcome: Outcome) =>
  outcome.kind === "answered" ? isLastWord(outcome.answer) : outcome.kind === "unconfirmed";

/**
 * What is malformed to it stays so. Any other refusal may be another agent's that has the peer's place by now, or pass:
 * it is told again the few times that silence is.
 */
const isLastWord = ({ status }: PeerAnswer) => status <= 400;
