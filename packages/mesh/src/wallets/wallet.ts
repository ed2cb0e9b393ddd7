/** The chain's own coin, as notices and tools name it. */
export const SOL = "SOL";
export const SOL_DECIMALS = 9;

export interface KnownToken {
  readonly mint: string;
  readonly decimals: number;
}

/** Tokens that may be called by name (mesh.md 12). */
export const KNOWN_TOKENS: Readonly<Record<string, KnownToken>> = {
  DM: { mint: "5DxioZwEeAKpBaYC5veTHArKE55qRDSmb5RZ6VwApump", decimals: 6 },
  USDC: { mint: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", decimals: 6 },
  USDT: { mint: "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", decimals: 6 },
};

/** A token as a user names it: the address of a known name in any case, else what was given. */
export function mintOf(named: string): string {
  const upper = named.toUpperCase();
  return Object.hasOwn(KNOWN_TOKENS, upper) ? (KNOWN_TOKENS[upper]?.mint ?? named) : named;
}

/** What is to be moved. */
export interface Transfer {
  /** The recipient's wallet. */
  readonly to: string;
  /** `SOL`, or a mint's address. */
  readonly token: string;
  /** In the token's smallest unit. */
  readonly raw: bigint;
  readonly decimals: number;
}

/** A signed transaction that was not sent yet. */
export interface PreparedTransfer {
  /** The transaction as it goes out, base64. */
  readonly bytes: string;
  /** Its first signature, base58: what the chain calls it. */
  readonly signature: string;
  /** Above this block height it can land no more. */
  readonly lastValidBlockHeight: number;
  /** The chain's slot when it was made: before it, it did not land. */
  readonly sinceSlot?: number | undefined;
  /** Whether it makes an account for the recipient, at our cost. */
  readonly createsAccount: boolean;
}

export type TransferStatus = "pending" | "confirmed" | "failed" | "expired";

/** One movement inside a transaction, as the chain tells it. */
export interface Moved {
  /** Owners' wallets, not token accounts. */
  readonly from: string;
  readonly to: string;
  readonly raw: bigint;
  readonly token: string;
  readonly decimals: number;
}

/** A transaction that the chain knows. */
export interface ChainTransfer {
  readonly failed: boolean;
  readonly moved: readonly Moved[];
}

/**
 * A wallet on one chain. Nothing is reached before the first call; the address is known without one.
 * Calls reject with CHAIN_UNREACHABLE when the chain cannot be asked.
 */
export interface WalletProvider {
  readonly chain: string;
  readonly address: string;
  /** Whether a text is an address of this chain. */
  isAddress(text: string): boolean;
  /** A transaction signature in its one spelling; `undefined` for what is none. */
  normalSignature(text: string): string | undefined;
  /** What we own of the chain's coin, or of a token. @throws NO_SUCH_TOKEN */
  balance(mint?: string): Promise<{ readonly raw: bigint; readonly decimals: number }>;
  /** Decimals of `SOL` or of a token. @throws NO_SUCH_TOKEN */
  decimals(token: string): Promise<number>;
  /**
   * Signs a transfer and sends nothing.
   * @throws INSUFFICIENT_FUNDS, NO_SUCH_TOKEN, TRANSFER_IMPOSSIBLE for what the chain would refuse
   */
  prepare(transfer: Transfer): Promise<PreparedTransfer>;
  /** Sends a prepared transaction; again is the same transaction. Rejects when it was not taken: `status` decides. */
  submit(bytes: string): Promise<void>;
  /**
   * `expired` only once it can never land, said by a node whose memory reaches back to `sinceSlot`.
   * @throws CHAIN_UNREACHABLE also where the memory does not
   */
  status(signature: string, lastValidBlockHeight: number, sinceSlot?: number): Promise<TransferStatus>;
  /** `undefined` for a transaction the chain does not know (yet). */
  lookup(signature: string): Promise<ChainTransfer | undefined>;
}
