import { isoTime, type JsonObject, MINUTE_MS, type Random, SECOND_MS } from "@darkmatter/core";
import {
  createSigner,
  messageText,
  peerUpdateText,
  replyText,
  type Signer,
  signText,
} from "@darkmatter/identity";
import type { Handler } from "@darkmatter/net";
import type { MemoryHost } from "@darkmatter/net/testing";
import { type Account, short } from "./account.ts";
import { rows } from "./agent.ts";
import type { Machine } from "./machine.ts";
import { oneOf } from "./plan.ts";
import type { Site } from "./weather.ts";
import type { Tapped, World } from "./world.ts";

/** An agent that lies, forges, and repeats what it hears on the wires. */
export interface Hostile {
  readonly id: string;
  stop(): void;
}

/** No node may ever keep words that begin so. */
export const FALSE_WORDS = "FALSE";

const ADDRESS = "9.9.9.9";
const PORT = 9000;
const FRIENDS = 2;
const PAUSE_MS = 3 * SECOND_MS;
/** Requests it remembers. */
const HEARD_MAX = 200;
/** It keeps one request in so many that pass. */
const HEARS_ONE_IN = 4;
const REPEATS_WITHIN_MS = 2 * MINUTE_MS;
/** Older than any node may believe, whatever its clock says. */
const STALE_MS = 12 * MINUTE_MS;

/** What it works with. */
interface Lair {
  readonly world: World;
  readonly random: Random;
  readonly signer: Signer;
  readonly host: MemoryHost;
  readonly site: Site;
  readonly account: Account;
  readonly heard: Tapped[];
  isStopped: boolean;
}

/** Joins as an agent like any other, befriends some, and begins. */
export async function startHostile(world: World, site: Site, account: Account): Promise<Hostile> {
  const random = world.random("hostile");
  const signer = createSigner(random.bytes(32));
  const host = world.internet.host({ address: ADDRESS });
  const lair: Lair = { world, random, signer, host, site, account, heard: [], isStopped: false };
  host.listen(PORT, answering(lair));
  for (let count = 0; count < FRIENDS; count++) await befriend(lair, oneOf(random, site.machines));
  const tap = (tapped: Tapped) => listen(lair, tapped);
  world.taps.add(tap);
  void work(lair);
  return {
    id: signer.agentId,
    stop() {
      lair.isStopped = true;
      world.taps.delete(tap);
    },
  };
}

async function befriend({ world, signer, host }: Lair, machine: Machine): Promise<void> {
  const { agentId } = signer;
  await post(host, urlOf(machine, "connection_request"), {
    from_agent_id: agentId,
    from_agent_url: `http://${ADDRESS}:${PORT}`,
    from_agent_bio: "a friendly agent",
    from_agent_public_key_hex: agentId,
    from_agent_display_name: "friend",
    wallets: {},
    created_at: isoTime(world.clock.now()),
  });
  const pending = await machine.call("list_pending_requests");
  for (const { request_id: id } of rows(pending?.requests))
    await machine.call("connection", { action: "accept", request_id: id });
}

/** Takes everything, knows every agent, at its own address. */
function answering({ signer, heard }: Lair): Handler {
  return async ({ path, method, body }) => {
    const { agentId } = signer;
    const url = `http://${ADDRESS}:${PORT}`;
    if (method === "POST" && path.endsWith("/message"))
      keep(heard, { method, url: "", body: new TextDecoder().decode(body) });
    const lookup = path.includes("/peer_lookup/") ? { agent_id: path.split("/").at(-1), url } : {};
    const answer = { success: true, agent_id: agentId, url, status: "connected", ...lookup };
    return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(answer) };
  };
}

function listen({ random, heard }: Lair, tapped: Tapped): void {
  if (tapped.method === "POST" && random.integer(HEARS_ONE_IN) === 0) keep(heard, tapped);
}

function keep(heard: Tapped[], tapped: Tapped): void {
  heard.push(tapped);
  if (heard.length > HEARD_MAX) heard.shift();
}

async function work(lair: Lair): Promise<void> {
  while (!lair.isStopped) {
    await lair.world.clock.sleep(lair.random.integer(PAUSE_MS));
    await oneOf(lair.random, TRICKS)(lair, oneOf(lair.random, lair.site.machines));
    await look(lair);
  }
}

/** Nobody may take another agent to be here. */
async function look({ signer, site, account }: Lair): Promise<void> {
  for (const { name, disk } of site.machines) {
    const believed = await disk.db.get<{ agent_id: string }>(
      "SELECT agent_id FROM mesh_connections WHERE url LIKE ? AND agent_id <> ? LIMIT 1",
      `http://${ADDRESS}:%`,
      signer.agentId,
    );
    if (believed)
      account.problem(`forged: ${name} believes ${short(believed.agent_id)} to be where it is not`);
  }
}

type Trick = (lair: Lair, victim: Machine) => Promise<void>;

const TRICKS: readonly Trick[] = [
  repeatSoon,
  repeatSoon,
  repeatElsewhere,
  repeatAsControl,
  forgeMessage,
  forgeKey,
  sendStale,
  forgeUpdate,
  forgeAnswer,
  forgeAcceptance,
];

/** Byte for byte to whom it was meant for, a while later. */
async function repeatSoon({ world, random, heard, host }: Lair): Promise<void> {
  if (heard.length === 0) return;
  const { url, body } = oneOf(random, heard);
  await world.clock.sleep(random.integer(REPEATS_WITHIN_MS));
  if (url !== "") await post(host, url, body);
}

async function repeatElsewhere({ random, heard, host }: Lair, victim: Machine): Promise<void> {
  if (heard.length > 0) await post(host, urlOf(victim, "message"), oneOf(random, heard).body);
}

/** The old signature leaves out the metadata: a note becomes a disconnect. */
async function repeatAsControl({ random, heard, host }: Lair): Promise<void> {
  const messages = heard.filter(({ url }) => url.endsWith("/message"));
  if (messages.length === 0) return;
  const { url, body } = oneOf(random, messages);
  const { dm_sig: _, ...message } = JSON.parse(body) as JsonObject;
  await post(host, url, { ...message, metadata: { type: "disconnect_announcement" } });
}

function message(lair: Lair, from: string, content: string, ageMs = 0): JsonObject {
  const messageId = `msg-${lair.random.integer(2 ** 47).toString(16)}`;
  const timestamp = isoTime(lair.world.clock.now() - ageMs);
  const text = messageText({ from, messageId, timestamp, content });
  return {
    message_id: messageId,
    content,
    webhook: `http://${ADDRESS}:${PORT}/__darkmatter__/webhook/${messageId}`,
    from_agent_id: from,
    from_public_key_hex: from,
    timestamp,
    hops_remaining: 10,
    metadata: {},
    signature_hex: signText(lair.signer, text),
  };
}

/** In another's name, signed by a key that is not its. */
async function forgeMessage(lair: Lair, victim: Machine): Promise<void> {
  const { id } = oneOf(lair.random, lair.site.machines);
  await post(lair.host, urlOf(victim, "message"), message(lair, id, `${FALSE_WORDS} in another's name`));
}

/** In another's name, with the key it was signed by. */
async function forgeKey(lair: Lair, victim: Machine): Promise<void> {
  const { id } = oneOf(lair.random, lair.site.machines);
  const forged = message(lair, id, `${FALSE_WORDS} by another key`);
  await post(lair.host, urlOf(victim, "message"), { ...forged, from_public_key_hex: lair.signer.agentId });
}

async function sendStale(lair: Lair, victim: Machine): Promise<void> {
  const late = lair.random.integer(2) === 0 ? STALE_MS : -STALE_MS;
  const stale = message(lair, lair.signer.agentId, `${FALSE_WORDS} because stale`, late);
  await post(lair.host, urlOf(victim, "message"), stale);
}

/** Another's new address: the liar's. */
async function forgeUpdate(lair: Lair, victim: Machine): Promise<void> {
  const { id } = oneOf(lair.random, lair.site.machines);
  const timestamp = isoTime(lair.world.clock.now());
  const newUrl = `http://${ADDRESS}:${PORT}`;
  await post(lair.host, urlOf(victim, "peer_update"), {
    agent_id: id,
    new_url: newUrl,
    addresses: { http: newUrl },
    timestamp,
    bio: "moved",
    public_key_hex: id,
    signature: signText(lair.signer, peerUpdateText({ agentId: id, newUrl, timestamp })),
  });
}

/** Another's answer to a message that was heard. */
async function forgeAnswer(lair: Lair): Promise<void> {
  const { random, heard, site, signer, host, world } = lair;
  const hooks = heard
    .map(({ body }) => /"webhook":"([^"]+)"/.exec(body)?.[1])
    .filter((url) => url !== undefined);
  if (hooks.length === 0) return;
  const hook = oneOf(random, hooks);
  const { id } = oneOf(random, site.machines);
  const timestamp = isoTime(world.clock.now());
  const response = `${FALSE_WORDS} answer`;
  const text = replyText({ agentId: id, messageId: hook.split("/").at(-1) ?? "", timestamp, response });
  const signed = { timestamp, from_public_key_hex: id, signature_hex: signText(signer, text) };
  await post(host, hook, { type: "response", agent_id: id, response, metadata: {}, ...signed });
}

async function forgeAcceptance({ random, site, host }: Lair, victim: Machine): Promise<void> {
  const { id } = oneOf(random, site.machines);
  await post(host, urlOf(victim, "connection_accepted"), {
    agent_id: id,
    agent_url: `http://${ADDRESS}:${PORT}`,
    agent_bio: "",
    agent_public_key_hex: id,
    agent_display_name: "friend",
  });
}

const urlOf = ({ host, port }: Machine, path: string) =>
  `http://${host.address}:${port}/__darkmatter__/${path}`;

/** What becomes of it is told by the victims' disks, not by their answers. */
async function post(host: MemoryHost, url: string, body: object | string): Promise<void> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = { "content-type": "application/json" };
  const request = {
    method: "POST",
    url,
    headers,
    body: text,
    timeoutMs: 5 * SECOND_MS,
    reach: "private",
  } as const;
  await host.wire.request(request).then(
    () => undefined,
    () => undefined,
  );
}
