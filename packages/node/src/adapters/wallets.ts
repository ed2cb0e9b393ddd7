import type { Signer } from "@darkmatter/identity";
import { createSolanaWallet, type WalletProvider } from "@darkmatter/mesh";
import type { Wire } from "@darkmatter/net";
import type { Config } from "../config.ts";

/** The wallets the owner wants the agent to have. Nothing is asked before one is used. */
export function walletsOf({ solanaRpc }: Config, signer: Signer, wire: Wire): readonly WalletProvider[] {
  return solanaRpc === undefined ? [] : [createSolanaWallet({ signer, wire, rpcUrl: solanaRpc })];
}
