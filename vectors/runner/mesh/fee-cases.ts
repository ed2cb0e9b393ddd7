import { isJsonObject, type Json, type JsonObject } from "@darkmatter/core";
import type { WalletProvider } from "@darkmatter/mesh";
import type { Findings } from "../outcome.ts";
import type { Setup } from "./setup.ts";
import { type Call, openWorld, type Reply, type World } from "./world.ts";

/** A signal that arrives, or a payment that is told, and the calls that follow. */
export interface FeeCase {
  readonly name: string;
  readonly setup: Setup;
  readonly request?: JsonObject;
  readonly result?: JsonObject;
  readonly outbound?: readonly Call[];
  readonly signal?: JsonObject;
  readonly my_pick?: number;
  readonly my_nonce_hex?: string;
  readonly peer_answers?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly seed_rule?: { readonly any_valid_peer_pick_equals_mine: boolean };
}

export const isFeeCase = ({ signal, request }: FeeCase): boolean =>
  signal !== undefined || (isJsonObject(request?.metadata) && request.metadata.antimatter_eligible === true);

/** Games of a holder, and what follows a payment (mesh.md 13). */
export function playFeeCase(found: Findings, one: FeeCase, nowMs: number): Promise<void> {
  return one.signal ? playSignal(found, one, one.signal, nowMs) : playPayment(found, one, nowMs);
}

async function playSignal(found: Findings, one: FeeCase, signal: JsonObject, nowMs: number): Promise<void> {
  const { setup, my_pick: pick = 0, my_nonce_hex: nonce = "", outbound: recorded = [] } = one;
  const players = setup.connections;
  // Whoever hands us a signal is connected to us, or we play for nobody; without a wallet it is no player.
  const bringer = (signal.path as string[]).map((id) => ({
    agent_id: id,
    agent_url: "http://127.0.0.1:8139",
    agent_public_key_hex: id,
  }));
  await using world = await openWorld({
    setup: { ...setup, connections: [...players, ...bringer] },
    nowMs,
    reply: (call) => playerReply(one, call) ?? { status: 200, body: { accepted: true, status: "resolved" } },
    chance: [nonce],
    picks: [{ below: players.length + 1, value: pick }],
  });
  const path = "/__darkmatter__/antimatter_signal";
  const answer = await world.node.local({ method: "POST", path, body: signal });
  found.like("answer", answer.json, { accepted: true });
  await world.settle();

  checkCalls(found, world.takeCalls(), bySeedRule(one, signal, recorded));
  const { trust_after: trust } = one.result ?? {};
  const { impressions, gas_log: log } = (await world.state()) as Record<string, JsonObject>;
  for (const [id, score] of Object.entries((trust ?? {}) as JsonObject)) {
    found.equal(`trust in ${id.slice(0, 8)}`, (impressions?.[id] as JsonObject | undefined)?.score, score);
  }
  const isMatch = one.seed_rule?.any_valid_peer_pick_equals_mine;
  checkLog(found, log as unknown as JsonObject[], [isMatch ? "antimatter_resolved_callback" : "forwarded"]);
  found.equal("what went wrong inside", world.node.reports.join("; "), "");
}

/** The payment on a chain that has it as it is told: the reference asks none, ours does nothing without one. */
async function playPayment(found: Findings, one: FeeCase, nowMs: number): Promise<void> {
  const { setup, request = {}, outbound: recorded = [], result = {} } = one;
  const log = (result.log ?? []) as JsonObject[];
  const signalId = String(log[0]?.signal_id);
  await using world = await openWorld({
    setup,
    nowMs,
    reply: (): Reply => ({ status: 200, body: { success: true } }),
    chance: [signalId.slice("am-".length)],
    wallets: [walletOf(request.metadata as JsonObject)],
  });
  const path = "/__darkmatter__/message";
  const { status, json: body } = await world.node.local({ method: "POST", path, body: request });
  const answer = { status: result.status ?? 0, body: result.body ?? null };
  found.like("answer", { status, body: body ?? null }, answer);
  await world.settle();
  checkCalls(found, world.takeCalls(), recorded, { orchestrator_commitment: "^[0-9a-f]{64}$" });
  const { gas_log: kept, impressions } = (await world.state()) as Record<string, Json>;
  found.like("log", kept, log);
  found.like("trust", impressions, result.trust ?? {}, { extraKeys: [] });
  found.equal("what went wrong inside", world.node.reports.join("; "), "");
}

/** A wallet to which what is told was paid. */
function walletOf({ amount, token, from_wallet: from, to_wallet: to }: JsonObject): WalletProvider {
  const raw = BigInt(Number(amount) * 1e9);
  const moved = [{ from: String(from), to: String(to), raw, token: String(token), decimals: 9 }];
  const never = () => Promise.reject(new Error("this wallet only looks"));
  return {
    chain: "solana",
    address: String(to),
    isAddress: () => true,
    normalSignature: (text) => text,
    balance: never,
    decimals: never,
    prepare: never,
    submit: never,
    status: never,
    lookup: async () => ({ failed: false, moved }),
  };
}

/** A player's answer; players are called by the letter at the end of their bio. */
function playerReply({ peer_answers: answers = {}, setup }: FeeCase, { url, body }: Call): Reply | undefined {
  if (!url.endsWith("/antimatter_match")) return undefined;
  const player = setup.connections.find(({ agent_url: at }) => at === new URL(url).origin);
  const letter = String(player?.agent_bio).split(" ").at(-1) ?? "";
  return { status: 200, body: answers[letter]?.[String((body as JsonObject).phase)] ?? {} };
}

/**
 * The calls under the rule that any pick of a peer is a match, from those recorded under the reference's: up to the last
 * they are the same (mesh.md 13: the choice is local).
 */
function bySeedRule(
  { seed_rule: rule, setup }: FeeCase,
  signal: JsonObject,
  recorded: readonly Call[],
): Call[] {
  const [veteran = {}] = setup.connections.filter(({ agent_id: id }) => String(id) in setup.impressions);
  const wallets = veteran.wallets as JsonObject;
  const match = {
    signal_id: signal.signal_id ?? "",
    destination_wallet: wallets.solana ?? "",
    resolved_by: veteran.agent_id ?? "",
    resolution: "match",
  };
  const path = [...(signal.path as string[]), setup.node.agent_id];
  const last: Call = rule?.any_valid_peer_pick_equals_mine
    ? { method: "POST", url: String(signal.callback_url), body: match }
    : {
        method: "POST",
        url: `${veteran.agent_url}/__darkmatter__/antimatter_signal`,
        body: { ...signal, hops: Number(signal.hops) + 1, path },
      };
  return [...recorded.slice(0, -1), last];
}

/** What our nodes add to the end of a signal (mesh.md 13). */
const SIGNED = ["timestamp", "from_public_key_hex", "signature_hex"];

function checkCalls(
  found: Findings,
  made: ReturnType<World["takeCalls"]>,
  expected: readonly Call[],
  patterns: Record<string, string> = {},
): void {
  const line = ({ method, url }: Call) => `${method} ${url}`;
  found.like("calls", made.map(line), expected.map(line));
  for (const [at, { url, body }] of expected.entries()) {
    const extraKeys = url.endsWith("_result") ? SIGNED : [];
    found.like(`body of call ${at + 1}`, made[at]?.body, body, { extraKeys, patterns });
  }
}

/** The reference's log begins after the signal was taken. */
function checkLog(found: Findings, log: readonly JsonObject[], types: Json): void {
  const kinds = log.map(({ type }) => type ?? null).filter((type) => type !== "gas_signal_received");
  found.like("log", kinds, types);
}
