import { fromHex } from "@darkmatter/core";
import { createSigner, type Signer } from "@darkmatter/identity";
import type { Wire } from "@darkmatter/net";
import { fromBase58, toBase58 } from "../base58.ts";
import type { WalletProvider } from "../wallet.ts";

/** What sets the wallet's key apart from every other secret of the passport (mesh.md 12). */
const LABEL = "darkmatter-solana-v1";
const ADDRESS_BYTES = 32;
const SIGNATURE_BYTES = 64;

export interface SolanaOptions {
  readonly signer: Signer;
  readonly wire: Wire;
  /** A Solana node's JSON-RPC; may hold the owner's key with a provider, so it is never told or logged. */
  readonly rpcUrl: string;
}

/** The passport's Solana wallet. Its libraries are loaded by the first call that needs the chain. */
export function createSolanaWallet({ signer, wire, rpcUrl }: SolanaOptions): WalletProvider {
  const seed = signer.derive(LABEL);
  const address = toBase58(fromHex(createSigner(seed).agentId) ?? new Uint8Array());
  const load = async () => (await import("./solana-chain.ts")).openChain({ seed, address, wire, rpcUrl });
  let opened: ReturnType<typeof load> | undefined;
  const chain = () => {
    opened ??= load();
    return opened;
  };

  return {
    chain: "solana",
    address,
    isAddress: (text) => fromBase58(text, ADDRESS_BYTES) !== undefined,
    normalSignature: (text) => (fromBase58(text, SIGNATURE_BYTES) === undefined ? undefined : text),
    balance: async (mint) => (await chain()).balance(mint),
    decimals: async (token) => (await chain()).decimals(token),
    prepare: async (transfer) => (await chain()).prepare(transfer),
    submit: async (bytes) => (await chain()).submit(bytes),
    status: async (signature, lastValid, since) => (await chain()).status(signature, lastValid, since),
    lookup: async (signature) => (await chain()).lookup(signature),
  };
}
