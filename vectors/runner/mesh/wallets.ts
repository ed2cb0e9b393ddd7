import { fromHex, type Json, sha256Hex, toHex } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, signText } from "@darkmatter/identity";
import { fakeSolana, stranger, testNode } from "@darkmatter/mesh/testing";
import { memoryInternet } from "@darkmatter/net/testing";
import { type Findings, type Outcome, ran } from "../outcome.ts";

interface Wallets {
  readonly derive: ReadonlyArray<{
    readonly passport_private_key_hex: string;
    readonly derived_seed_hex: string;
    readonly solana_public_key_hex: string;
    readonly address: string;
    readonly associated_token_accounts: Readonly<Record<string, string>>;
  }>;
  readonly tokens: Readonly<Record<string, { readonly mint: string; readonly decimals: number }>>;
  readonly wallet_signature_identity: ReadonlyArray<{
    readonly wallet_seed_hex: string;
    readonly wallet_public_key_hex: string;
    readonly challenge: string;
    readonly signature_hex: string;
    readonly passport_seed_hex: string;
    readonly agent_id: string;
  }>;
}

/** The wallet of a passport, its accounts for the known tokens, and the passport of a wallet (mesh.md 12). */
export async function* wallets(document: Json): AsyncIterable<Outcome> {
  const { derive, tokens, wallet_signature_identity: identities } = document as unknown as Wallets;

  for (const one of derive) {
    yield ran(`wallet ${one.address}`, async (found) => {
      const seed = createSigner(one.passport_private_key_hex).derive("darkmatter-solana-v1");
      found.equal("derived seed", toHex(seed), one.derived_seed_hex);
      found.equal("public key", createSigner(seed).agentId, one.solana_public_key_hex);
      await using world = await openChain(one.passport_private_key_hex);
      const { chain, node } = world;
      const { wallets: told } = await node.tool("get_identity");
      found.like("wallets", told, { solana: one.address });
      for (const [name, { mint, decimals }] of Object.entries(tokens)) {
        chain.bank.mint(name, decimals, { address: mint });
        const balance = await node.tool("get_balance", { mint: name.toLowerCase() });
        found.equal(`mint of ${name}`, balance.token, mint);
        found.equal(`decimals of ${name}`, balance.decimals, decimals);
        found.equal(`account for ${name}`, chain.looked.at(-1), one.associated_token_accounts[name]);
      }
    });
  }

  for (const one of identities) {
    yield ran(`passport of wallet ${one.wallet_public_key_hex}`, (found) => {
      const wallet = createSigner(one.wallet_seed_hex);
      found.equal("wallet's key", wallet.agentId, one.wallet_public_key_hex);
      found.equal("signature", signText(wallet, one.challenge), one.signature_hex);
      const seed = sha256Hex(fromHex(one.signature_hex) ?? new Uint8Array());
      found.equal("passport's seed", seed, one.passport_seed_hex);
      found.equal("agent id", createSigner(seed).agentId, one.agent_id);
    });
  }
}

interface Transfers {
  readonly cases: ReadonlyArray<{
    readonly passport_private_key_hex: string;
    readonly from: string;
    readonly to: string;
    readonly amount_sol: string;
    readonly lamports: number;
    readonly recent_blockhash: string;
    readonly message_hex: string;
    readonly signature_hex: string;
    readonly transaction_base64: string;
  }>;
}

/** What a payment looks like on the chain's wire, byte for byte. */
export async function* walletTransactions(document: Json): AsyncIterable<Outcome> {
  for (const one of (document as unknown as Transfers).cases) {
    yield ran(`${one.amount_sol} SOL to ${one.to}`, (found) => checkTransfer(found, one));
  }
}

async function checkTransfer(found: Findings, one: Transfers["cases"][number]): Promise<void> {
  await using world = await openChain(one.passport_private_key_hex);
  const { chain, node, peer } = world;
  chain.blockhash = one.recent_blockhash;
  chain.bank.lamports.set(one.from, BigInt(one.lamports) + 1_000_000n);
  await peer.post(node, "connection_request", peer.request({ wallets: { solana: one.to } }));
  // As a number and as text: both must count the same.
  for (const amount of [Number(one.amount_sol), one.amount_sol]) {
    const paid = await node.tool("send_sol", { agent_id: peer.id, amount, notify: false }, CALL);
    found.equal(`paid ${amount}`, paid.success, true);
  }
  const bytes = Buffer.from(chain.sent[0] ?? "", "base64");
  found.equal("transaction", chain.sent[0], one.transaction_base64);
  found.equal("signature", toHex(bytes.subarray(1, 65)), one.signature_hex);
  found.equal("message", toHex(bytes.subarray(65)), one.message_hex);
  found.equal("transactions", new Set(chain.sent).size, 1);
  found.equal("lamports that arrived", chain.bank.lamports.get(one.to), BigInt(one.lamports));
}

/** The same call, so that it is one payment whatever the amount is written as. */
const CALL = { callId: "one payment" };
const RPC_ADDRESS = "5.6.7.9";

/** A node with the wallet of a passport, a chain, and an agent beside it. */
async function openChain(seed: string) {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const random = seededRandom(1);
  const internet = memoryInternet({ clock, random });
  const chain = fakeSolana();
  internet.host({ address: RPC_ADDRESS }).listen(80, chain.handler);
  const host = internet.host({ address: "192.168.7.1" });
  const place = { host: "127.0.0.1", port: 8100, seed };
  const node = await testNode({
    clock,
    random,
    wire: host.wire,
    ...place,
    solanaRpc: `http://${RPC_ADDRESS}/`,
  });
  return {
    chain,
    node,
    peer: stranger(clock, host),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}
