import { isoTime, type JsonObject } from "@darkmatter/core";
import { antimatterHandoffText, antimatterResultText, signText } from "@darkmatter/identity";
import { type HeldSignal, insertSignal, readLog } from "../antimatter/antimatter.store.ts";
import { commitmentOf } from "../antimatter/picks.ts";
import { WATCHDOG_MS } from "../antimatter/signal.ts";
import { writeSetting } from "../identity/identity.store.ts";
import { toBase58 } from "../wallets/base58.ts";
import { fakeSolana } from "./fake-solana.ts";
import { memoryNetwork, type TestNode } from "./memory-network.ts";
import { type Stranger, stranger } from "./stranger.ts";

const NONCE = "5a".repeat(32);
const TWO_YEARS_AGO = "2024-03-05T12:00:00+00:00";

/** An address of Solana for a number, whose key nobody has. */
export const walletNumber = (number: number): string => toBase58(new Uint8Array(32).fill(number));

export interface FeeWorldOptions<Name extends string> {
  readonly nodes: readonly Name[];
  readonly seed?: number;
  /** How old each node says it is, in days. */
  readonly days?: Partial<Record<Name, number>>;
}

/** Nodes with wallets on a chain in memory, and everything a test of fees needs. */
export async function feeWorld<Name extends string>({ nodes, seed, days = {} }: FeeWorldOptions<Name>) {
  const solana = fakeSolana();
  const net = await memoryNetwork({ nodes, solana, ...(seed !== undefined && { seed }) });
  for (const [name, node] of Object.entries<TestNode>(net.nodes)) {
    const createdAt = isoTime(net.clock.now() - ((days as Record<string, number>)[name] ?? 30) * 86_400_000);
    await node.db.write((tx) => writeSetting(tx, "created_at", createdAt));
    solana.bank.lamports.set(await walletOf(node), 100_000_000_000n);
  }
  const host = Object.values(net.hosts)[0] as (typeof net.hosts)[Name];
  return {
    net,
    nodes: net.nodes,
    clock: net.clock,
    solana,
    settle: net.settle,
    balance: (wallet: string) => solana.bank.lamports.get(wallet) ?? 0n,
    /** An agent that is older than all nodes, has a wallet, and is connected to `node` and trusted by it. */
    async veteran(node: TestNode, number: number, details: { features?: string[]; score?: number } = {}) {
      const { features = ["antimatter/1"], score = 0.5 } = details;
      const one = stranger(net.clock, host, { port: 9000 + number, seed: number });
      const wallets = { solana: walletNumber(number) };
      await one.post(
        node,
        "connection_request",
        one.request({ wallets, features, created_at: TWO_YEARS_AGO }),
      );
      if (score !== 0) await node.tool("set_impression", { agent_id: one.id, score });
      return one;
    },
    async [Symbol.asyncDispose]() {
      await net[Symbol.asyncDispose]();
    },
  };
}

export async function walletOf(node: TestNode): Promise<string> {
  const { json } = await node.local({ path: "/__darkmatter__/network_info" });
  return (json as { wallets: { solana: string } }).wallets.solana;
}

/** Answers a game in a way that is never a match. */
export function neverMatches({ path, body }: { readonly path: string; readonly body: JsonObject }) {
  if (!/_match$/.test(path)) return undefined;
  const pick = 100_000;
  if (body.phase === "commit") {
    return [200, { peer_commitment: commitmentOf(pick, NONCE) ?? "", session_token: "t" }] as const;
  }
  return [200, { peer_pick: pick, peer_nonce: NONCE }] as const;
}

/** Gives a node a fee to send on its way, as a confirmed payment does. */
export async function giveFee(
  node: TestNode,
  nowMs: number,
  fields: Partial<HeldSignal> = {},
): Promise<string> {
  const signal = {
    signal_id: "am-0123456789ab",
    original_tx: "tx",
    sender_agent_id: "f".repeat(64),
    amount: 0.02,
    token: "SOL",
    token_decimals: 9,
    sender_superagent_wallet: walletNumber(99),
    callback_url: "",
    hops: 0,
    max_hops: 10,
    created_at: isoTime(nowMs),
    path: [],
    ...fields.signal,
  };
  await node.db.write((tx) =>
    insertSignal(tx, {
      key: signal.signal_id,
      role: "originator",
      handoffs: [],
      fee: "0.02",
      payerWallet: walletNumber(98),
      deadlineMs: nowMs + WATCHDOG_MS,
      ...fields,
      signal,
    }),
  );
  await node.job("antimatter.attend");
  return signal.signal_id;
}

/** The end of a signal as a holder of ours tells it, signed, with the way it came. */
export function resultBy(
  teller: Stranger,
  signal: JsonObject,
  fields: JsonObject = {},
  nowMs = 0,
): JsonObject {
  const result = {
    destination_wallet: walletNumber(77),
    resolved_by: "c".repeat(64),
    resolution: "match",
    timestamp: isoTime(nowMs),
    ...fields,
  };
  const text = antimatterResultText({
    signalId: String(signal.signal_id),
    destinationWallet: String(result.destination_wallet),
    resolvedBy: String(result.resolved_by),
    resolution: String(result.resolution),
    timestamp: String(result.timestamp),
  });
  return {
    signal_id: signal.signal_id ?? "",
    from_public_key_hex: teller.id,
    signature_hex: signText(teller.signer, text),
    handoffs: signal.handoffs ?? [],
    ...result,
  };
}

/** A step of a signal's way, signed by its giver. */
export function stepBy(giver: Stranger, signal: JsonObject, to: string): JsonObject {
  const text = antimatterHandoffText({
    signalId: String(signal.signal_id),
    from: giver.id,
    to,
    callbackUrl: String(signal.callback_url),
  });
  return { from: giver.id, to, signature_hex: signText(giver.signer, text) };
}

/** The kinds of a node's log, oldest first. */
export async function logOf(node: TestNode): Promise<unknown[]> {
  return (await readLog(node.db)).map(({ type }) => type);
}
