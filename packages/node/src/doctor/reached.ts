import { isJsonObject, type Json, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { plain } from "../plain.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** From here on signed messages are refused by whoever keeps the right time (mesh.md 2). */
const SKEW_FAIL_MS = 300 * SECOND_MS;
const SKEW_WARN_MS = 60 * SECOND_MS;
/** A message that waits this long waits for a reason. */
const WAITING_MS = 10 * MINUTE_MS;

/** What a node said of its ways (`darkmatter_diagnose`), as lines. Parts that an older node leaves out are left out. */
export function reachedFindings(said: JsonObject, nowMs: number): Finding[] {
  const peers = objects(said.peers);
  return [
    ...discoveryFindings(said),
    ...addressFindings(said),
    ...objects(said.anchors).map(anchorFinding),
    ...peers.map(peerFinding),
    ...(peers.length === 0 ? [ok("peer", "no connections yet")] : []),
    ...clockFindings(peers),
    ...queueFindings(said, nowMs),
  ];
}

const objects = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : [];
const object = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {});

function discoveryFindings(said: JsonObject): Finding[] {
  const { enabled, multicast, seen } = object(said.discovery);
  if (enabled === false)
    return [
      warn(
        "discovery",
        "off: agents near this one are not found",
        "unset DARKMATTER_DISCOVERY, and start the node (and its clients) without it",
      ),
    ];
  if (enabled !== true) return [];
  const found = `${seen === 1 ? "1 agent" : `${seen} agents`} seen`;
  if (said.beyond_loopback !== true) return [ok("discovery", `on this machine only, ${found}`)];
  return multicast === true
    ? [ok("discovery", `on this machine and the local network, ${found}`)]
    : [
        warn(
          "discovery",
          `on this machine only, though the node listens beyond it, ${found}`,
          "Nothing could join the multicast group 239.77.68.77: allow UDP port 8470 in this machine's firewall, then start the node again.",
        ),
      ];
}

function addressFindings(said: JsonObject): Finding[] {
  if (isJsonObject(said.public_url)) return [publicFinding(said.public_url)];
  if (said.beyond_loopback !== true)
    return [ok("address", "this machine only; `up --lan` opens it to the local network")];
  const url = plain(said.url);
  if (said.behind_nat !== true) return [ok("address", `${url}, reached from anywhere`)];
  const relays = objects(said.anchors).length;
  return relays > 0
    ? [ok("address", `${url} in the local network; agents elsewhere reach it through ${relays} anchor(s)`)]
    : [
        ok(
          "address",
          `${url} in the local network; for agents elsewhere set DARKMATTER_PUBLIC_URL or DARKMATTER_ANCHOR_NODES`,
        ),
      ];
}

function publicFinding({ url, ok: isThere, error }: JsonObject): Finding {
  if (isThere === true) return ok("address", `told to others: ${plain(url)}`);
  return warn(
    "address",
    `told to others is ${plain(url)}, where this node does not answer: ${plain(error)}`,
    "unset DARKMATTER_PUBLIC_URL, or forward that address to this node. Some routers let it through from outside alone: ask a friend to open it.",
  );
}

function anchorFinding({ url, ok: isThere, ms, error }: JsonObject): Finding {
  if (isThere === true) return ok("anchor", `${plain(url)} answers (${ms} ms)`);
  return warn(
    "anchor",
    `${plain(url)} does not answer: ${plain(error)}`,
    "Start it again, or take it out of DARKMATTER_ANCHOR_NODES and start the node anew.",
  );
}

function peerFinding(peer: JsonObject): Finding {
  const name = `${plain(peer.name) || "(no name)"} ${plain(peer.agent_id).slice(0, 12)}`;
  const [http, channel] = [object(peer.http), isJsonObject(peer.channel) ? peer.channel : undefined];
  const ways = [
    `http ${http.ok === true ? `${http.ms} ms` : plain(http.error) || "no"}`,
    ...(channel ? [`webrtc ${channel.ok === true ? `${channel.ms} ms` : "no answer"}`] : []),
    ...(peer.way === "anchor" ? ["anchor"] : []),
  ].join(", ");
  if (http.ok === true || channel?.ok === true || peer.way === "anchor")
    return ok("peer", `${name}: ${ways}`);
  return warn(
    "peer",
    `${name} cannot be reached at ${plain(peer.url)}: ${ways}`,
    "Start its node on its machine (darkmatter up). Nothing is lost meanwhile: what it says when it is back reaches this node.",
  );
}

/** One clock is wrong when a peer's differs; ours is when most do. */
function clockFindings(peers: readonly JsonObject[]): Finding[] {
  const ahead = peers.flatMap(({ clock_ms }) => (typeof clock_ms === "number" ? [clock_ms] : []));
  if (ahead.length === 0) return [];
  const off = ahead.filter((ms) => Math.abs(ms) > SKEW_WARN_MS);
  const worst = ahead.reduce((most, ms) => (Math.abs(ms) > Math.abs(most) ? ms : most), 0);
  if (off.length === 0)
    return [ok("clock", `within ${Math.ceil(Math.abs(worst) / SECOND_MS)} s of ${ahead.length} peer(s)`)];
  const isOurs = off.length * 2 > ahead.length && ahead.length > 1;
  const whose = isOurs ? "This machine's clock" : "A peer's clock, or this machine's,";
  const what = `${whose} is off: ${Math.abs(Math.round(worst / SECOND_MS))} s ${worst > 0 ? "behind" : "ahead of"} ${off.length} of ${ahead.length} peer(s)`;
  const fix =
    "Set it by the network's time: sudo timedatectl set-ntp true (macOS: sudo sntp -sS pool.ntp.org); the same on the peer's machine.";
  return Math.abs(worst) > SKEW_FAIL_MS
    ? [fail("clock", `${what}: signed messages count as stale and are refused`, fix)]
    : [warn("clock", what, fix)];
}

function queueFindings(said: JsonObject, nowMs: number): Finding[] {
  const { waiting, oldest_at } = object(said.queue);
  if (typeof waiting !== "number") return [];
  if (waiting === 0) return [ok("queue", "no message waits")];
  const ageMs = typeof oldest_at === "string" ? nowMs - Date.parse(oldest_at) : 0;
  const what = `${waiting} message(s) wait to be sent, the oldest for ${Math.round(ageMs / SECOND_MS)} s`;
  return ageMs <= WAITING_MS
    ? [ok("queue", what)]
    : [
        warn(
          "queue",
          what,
          "See which: darkmatter sent. They leave when their agents are reached again, and expire after 24 h.",
        ),
      ];
}
