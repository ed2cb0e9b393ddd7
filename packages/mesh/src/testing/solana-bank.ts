import { createHash, createPublicKey, verify } from "node:crypto";
import type { Address } from "@solana/kit";
import { fromBase58, toBase58 } from "../wallets/base58.ts";

export const SYSTEM = "11111111111111111111111111111111";
export const TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
export const TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
const ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
/** Lamports: for a signature, and to keep a token account. */
export const FEE = 5000n;
export const TOKEN_ACCOUNT_RENT = 2_039_280n;

export interface TokenAccount {
  readonly mint: string;
  readonly owner: string;
  amount: bigint;
}

interface Mint {
  readonly program: string;
  readonly decimals: number;
  /** Hundredths of a per cent that stay behind, as a Token-2022 mint may ask. */
  readonly feeBasisPoints: number;
}

/** A transaction as it was sent, taken apart. */
export interface SentTransaction {
  readonly signature: string;
  readonly blockhash: string;
  readonly accounts: readonly string[];
  readonly steps: ReadonlyArray<{
    readonly program: string;
    readonly accounts: readonly string[];
    readonly data: Buffer;
  }>;
}

/** What happened to a transaction that landed. */
export interface Landed extends SentTransaction {
  readonly slot: number;
  readonly error: unknown;
  readonly before: Balances;
  readonly after: Balances;
}

interface Balances {
  readonly lamports: readonly bigint[];
  readonly tokens: ReadonlyArray<{ readonly at: number; readonly account: TokenAccount }>;
}

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Reads what a transaction is written in, from its beginning on. @throws for bytes that end too early */
class Bytes {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new TypeError("the transaction ends too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  /** A length in seven bits a byte, lowest first. */
  length(): number {
    const low = this.byte();
    if (low < 0x80) return low;
    const high = this.byte();
    if (high >= 0x80) throw new TypeError("longer than a transaction may be");
    return (low & 0x7f) | (high << 7);
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.length() }, read);
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }
}

/**
 * Takes signed bytes apart, on its own and not by the library that made them.
 * @throws for bytes that are no transaction, or (with `signed`) not signed by who pays
 */
export function decodeTransaction(base64: string, signed: boolean): SentTransaction {
  const bytes = new Bytes(Buffer.from(base64, "base64"));
  const signatures = bytes.list(() => bytes.take(64));
  const messageBytes = bytes.rest();
  if (bytes.byte() !== 0x80) throw new TypeError("only version 0 is spoken here");
  const [signers] = bytes.take(3);
  const accounts = bytes.list(() => toBase58(bytes.take(32)));
  const blockhash = toBase58(bytes.take(32));
  const named = (at: number) => accounts[at] ?? "";
  const steps = bytes.list(() => ({
    program: named(bytes.byte()),
    accounts: bytes.list(() => named(bytes.byte())),
    data: Buffer.from(bytes.take(bytes.length())),
  }));
  if (bytes.length() !== 0 || bytes.rest().length > 0) throw new TypeError("what follows is unknown here");
  const [signature] = signatures;
  if (signatures.length !== 1 || signers !== 1 || !signature) throw new TypeError("one signs, who pays");
  if (signed && !isSignedBy(named(0), messageBytes, signature)) {
    throw new TypeError("signature verification failure");
  }
  return { signature: toBase58(signature), blockhash, accounts, steps };
}

function isSignedBy(address: string, messageBytes: Buffer, signature: Buffer): boolean {
  const raw = fromBase58(address, 32) ?? new Uint8Array();
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
  return verify(null, messageBytes, key, signature);
}

/** Who owns what: the programs a wallet uses, in memory. Errors are named as the chain names them. */
export class SolanaBank {
  readonly lamports = new Map<string, bigint>();
  readonly tokens = new Map<string, TokenAccount>();
  readonly mints = new Map<string, Mint>();

  /** A token with an address made of its name, unless one is given. */
  mint(
    name: string,
    decimals: number,
    options: { program?: string; address?: string; feeBasisPoints?: number } = {},
  ) {
    const address = options.address ?? toBase58(createHash("sha256").update(name).digest());
    this.mints.set(address, {
      program: options.program ?? TOKEN,
      decimals,
      feeBasisPoints: options.feeBasisPoints ?? 0,
    });
    return address;
  }

  async tokenAccountOf(owner: string, mint: string): Promise<string> {
    const program = this.mints.get(mint)?.program ?? TOKEN;
    // Loaded here: few tests need a token, and all would pay for it.
    const { findAssociatedTokenPda } = await import("@solana-program/token");
    const [account] = await findAssociatedTokenPda({
      owner: owner as Address,
      mint: mint as Address,
      tokenProgram: program as Address,
    });
    return account;
  }

  /** Gives an owner tokens out of nothing. */
  async give(owner: string, mint: string, raw: bigint): Promise<void> {
    const account = await this.tokenAccountOf(owner, mint);
    const before = this.tokens.get(account)?.amount ?? 0n;
    this.tokens.set(account, { mint, owner, amount: before + raw });
  }

  balances(accounts: readonly string[]): Balances {
    return {
      lamports: accounts.map((account) => this.lamports.get(account) ?? 0n),
      tokens: accounts.flatMap((name, at) => {
        const account = this.tokens.get(name);
        return account ? [{ at, account: { ...account } }] : [];
      }),
    };
  }

  /** Carries a transaction out, or only tries it; what the chain's error is, `null` for none. */
  run({ accounts, steps }: SentTransaction, keep: boolean): unknown {
    const saved = { lamports: new Map(this.lamports), tokens: structuredClone(this.tokens) };
    const payer = accounts[0] ?? "";
    const undo = () => {
      this.#restore(this.lamports, saved.lamports);
      this.#restore(this.tokens, saved.tokens);
    };
    if (!this.lamports.has(payer)) return "AccountNotFound";
    if ((this.lamports.get(payer) ?? 0n) < FEE) return "InsufficientFundsForFee";
    let error: unknown = null;
    for (const [at, step] of steps.entries()) {
      const wrong = this.#step(payer, step);
      if (wrong === undefined) continue;
      error = { InstructionError: [at, wrong] };
      break;
    }
    if (error !== null || !keep) undo();
    if (keep) this.lamports.set(payer, (this.lamports.get(payer) ?? 0n) - FEE);
    return error;
  }

  #restore<T>(map: Map<string, T>, saved: Map<string, T>): void {
    map.clear();
    for (const [key, value] of saved) map.set(key, value);
  }

  #step(payer: string, { program, accounts, data }: SentTransaction["steps"][number]): unknown {
    if (program === SYSTEM && data.readUInt32LE(0) === 2) {
      return this.#moveLamports(accounts[0] ?? "", accounts[1] ?? "", data.readBigUInt64LE(4));
    }
    if (program === ASSOCIATED && data[0] === 1) {
      const [, account = "", owner = "", mint = ""] = accounts;
      if (this.tokens.has(account)) return undefined;
      this.tokens.set(account, { mint, owner, amount: 0n });
      return this.#moveLamports(payer, account, TOKEN_ACCOUNT_RENT);
    }
    if ((program === TOKEN || program === TOKEN_2022) && data[0] === 12) {
      return this.#moveTokens(program, accounts, data.readBigUInt64LE(1), data.readUInt8(9));
    }
    return "InvalidInstructionData";
  }

  #moveLamports(from: string, to: string, lamports: bigint): unknown {
    const held = this.lamports.get(from) ?? 0n;
    if (held < lamports) return { Custom: 1 };
    this.lamports.set(from, held - lamports);
    this.lamports.set(to, (this.lamports.get(to) ?? 0n) + lamports);
    return undefined;
  }

  #moveTokens(
    program: string,
    [source = "", mint = "", destination = "", authority = ""]: readonly string[],
    raw: bigint,
    decimals: number,
  ): unknown {
    const [from, to, known] = [this.tokens.get(source), this.tokens.get(destination), this.mints.get(mint)];
    if (!known || known.program !== program) return "IncorrectProgramId";
    if (!from || !to || from.mint !== mint || to.mint !== mint) return "InvalidAccountData";
    if (from.owner !== authority) return { Custom: 4 };
    if (known.decimals !== decimals) return { Custom: 18 };
    if (from.amount < raw) return { Custom: 1 };
    from.amount -= raw;
    to.amount += raw - (raw * BigInt(known.feeBasisPoints)) / 10_000n;
    return undefined;
  }
}
