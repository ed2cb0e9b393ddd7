import { meshError } from "../errors.ts";
import type { WalletProvider } from "./wallet.ts";

/** What this agent owns, on each chain. */
export interface Wallets {
  /** Chain to address: told in every handshake (mesh.md 12). Empty where the owner wants none. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly all: readonly WalletProvider[];
  /** @throws NO_WALLET */
  on(chain: string): WalletProvider;
}

export function createWallets(providers: readonly WalletProvider[] = []): Wallets {
  return {
    addresses: Object.fromEntries(providers.map(({ chain, address }) => [chain, address])),
    all: providers,
    on(chain) {
      const found = providers.find((provider) => provider.chain === chain);
      if (!found) throw meshError("NO_WALLET", "This agent has no wallet on that chain.");
      return found;
    },
  };
}
