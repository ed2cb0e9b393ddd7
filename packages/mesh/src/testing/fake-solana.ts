import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Handler } from "@darkmatter/net";
import { toBase58 } from "../wallets/base58.ts";
import {
  decodeTransaction,
  FEE,
  type Landed,
  type SentTransaction,
  SolanaBank,
  SYSTEM,
  TOKEN_2022,
} from "./solana-bank.ts";

/** Blocks for which a blockhash may be used, as on the chain. */
const LIFETIME_BLOCKS = 150;

/**
 * What becomes of the next transaction that is sent: `drop` it is answered for and never lands, `hold` it lands with
 * `release`, `fail` it lands and moves nothing, `silent` it lands and its sender gets no answer, `refuse` an error.
 */
export type SolanaFault = "drop" | "hold" | "fail" | "silent" | "refuse";

/** A Solana node as far as a wallet asks one: JSON-RPC over HTTP, and every signed byte is checked. */
export interface FakeSolana {
  readonly bank: SolanaBank;
  readonly handler: Handler;
  /** Every transaction that was sent, repetitions too, and those that landed. */
  readonly sent: readonly string[];
  readonly landed: readonly Landed[];
  /** What it was only asked about. */
  readonly rehearsed: readonly string[];
  /** The accounts that were looked at. */
  readonly looked: readonly string[];
  /** The names of all calls. */
  readonly calls: string[];
  /** The blockhash it hands out; `undefined`, as at first, another for each that asks. */
  blockhash: string | undefined;
  /** Whether it answers at all. */
  isDown: boolean;
  /** The first slot it remembers. */
  firstSlot: number;
  next(fault: SolanaFault): void;
  /** Lets what is held land. */
  release(): void;
  /** Blocks that pass. */
  advance(blocks: number): void;
}

type Params = readonly unknown[];

class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export function fakeSolana(): FakeSolana {
  const bank = new SolanaBank();
  const sent: string[] = [];
  const landed: Landed[] = [];
  const rehearsed: string[] = [];
  const looked: string[] = [];
  const calls: string[] = [];
  const held: SentTransaction[] = [];
  const faults: SolanaFault[] = [];
  /** Each blockhash handed out, and the last block it is good for. */
  const lifetimes = new Map<string, number>();
  let height = 1000;

  const context = () => ({ context: { apiVersion: "3.0.0", slot: height + 50 } });
  const find = (signature: unknown) => landed.find((one) => one.signature === signature);

  function land(transaction: SentTransaction, fails = false): void {
    if (find(transaction.signature)) return;
    const { accounts } = transaction;
    const before = bank.balances(accounts);
    const error = fails
      ? bank.run({ ...transaction, steps: [{ program: "", accounts: [], data: Buffer.alloc(4) }] }, true)
      : bank.run(transaction, true);
    landed.push({ ...transaction, slot: height + 50, error, before, after: bank.balances(accounts) });
  }

  function send(bytes: string): string {
    sent.push(bytes);
    const fault = faults.shift();
    let transaction: SentTransaction;
    try {
      transaction = decodeTransaction(bytes, true);
    } catch (error) {
      throw new RpcError(-32003, `Transaction signature verification failure: ${String(error)}`);
    }
    const { blockhash, signature } = transaction;
    if (fault === "refuse") throw new RpcError(-32005, "Node is behind by 42 slots", { numSlotsBehind: 42 });
    if (find(signature)) throw refused("AlreadyProcessed", "This transaction has already been processed");
    if ((lifetimes.get(blockhash) ?? 0) < height) throw refused("BlockhashNotFound", "Blockhash not found");
    const wrong = bank.run(transaction, false);
    if (wrong !== null) throw refused(wrong, "Error processing Instruction 0");
    if (fault === "hold") held.push(transaction);
    else if (fault !== "drop") land(transaction, fault === "fail");
    if (fault === "silent") throw new TypeError("no answer");
    return signature;
  }

  function account(name: string) {
    const mint = bank.mints.get(name);
    if (mint)
      return { owner: mint.program, data: mintData(mint.program, mint.decimals), lamports: 1_461_600n };
    const token = bank.tokens.get(name);
    if (token) {
      const data = Buffer.alloc(165);
      data.writeBigUInt64LE(token.amount, 64);
      return {
        owner: bank.mints.get(token.mint)?.program ?? "",
        data,
        lamports: bank.lamports.get(name) ?? 0n,
      };
    }
    const lamports = bank.lamports.get(name);
    return lamports === undefined ? undefined : { owner: SYSTEM, data: Buffer.alloc(0), lamports };
  }

  const methods: Readonly<Record<string, (...params: Params) => unknown>> = {
    getLatestBlockhash() {
      const lastValidBlockHeight = height + LIFETIME_BLOCKS;
      const blockhash = chain.blockhash ?? hashOf(`block ${height}, asked ${calls.length}`);
      lifetimes.set(blockhash, lastValidBlockHeight);
      return { ...context(), value: { blockhash, lastValidBlockHeight } };
    },
    getFirstAvailableBlock: () => chain.firstSlot,
    getEpochInfo: () => ({
      absoluteSlot: height + 18,
      blockHeight: height - 32,
      epoch: 1,
      slotIndex: 1,
      slotsInEpoch: 432_000,
      transactionCount: landed.length,
    }),
    getBalance: (name) => ({ ...context(), value: bank.lamports.get(String(name)) ?? 0n }),
    getAccountInfo(name) {
      looked.push(String(name));
      const found = account(String(name));
      const value = found && {
        ...found,
        data: [found.data.toString("base64"), "base64"],
        executable: false,
        rentEpoch: 2n ** 64n - 1n,
        space: found.data.length,
      };
      return { ...context(), value: value ?? null };
    },
    sendTransaction: (bytes) => send(String(bytes)),
    simulateTransaction(bytes) {
      rehearsed.push(String(bytes));
      const err = bank.run(decodeTransaction(String(bytes), false), false);
      return { ...context(), value: { err, logs: [], unitsConsumed: 150, accounts: null, returnData: null } };
    },
    getSignatureStatuses(signatures) {
      const value = (signatures as readonly string[]).map((signature) => {
        const found = find(signature);
        if (!found) return null;
        const { slot, error: err } = found;
        const status = err === null ? { Ok: null } : { Err: err };
        return { slot, confirmations: null, err, status, confirmationStatus: "finalized" };
      });
      return { ...context(), value };
    },
    getTransaction(signature) {
      const found = find(signature);
      return found ? toldTransaction(found, bank) : null;
    },
  };

  const chain: FakeSolana = {
    bank,
    sent,
    landed,
    rehearsed,
    looked,
    calls,
    blockhash: undefined,
    isDown: false,
    firstSlot: 0,
    next: (fault) => void faults.push(fault),
    release: () => {
      for (const transaction of held.splice(0)) land(transaction);
    },
    advance: (blocks) => {
      height += blocks;
    },
    async handler({ body }) {
      if (chain.isDown) return { status: 503, headers: {} as Record<string, string>, body: "" };
      const { id, method, params = [] } = JSON.parse(Buffer.from(body).toString("utf8"));
      calls.push(method);
      const headers: Record<string, string> = { "content-type": "application/json" };
      return { status: 200, headers, body: answered(id, method, params) };
    },
  };

  function answered(id: unknown, method: string, params: Params): string {
    const head = { jsonrpc: "2.0", id };
    try {
      const act = methods[method];
      if (!act) throw new RpcError(-32601, "Method not found");
      return exactJson({ ...head, result: act(...params) });
    } catch (error) {
      if (!(error instanceof RpcError)) return "";
      const { code, message, data } = error;
      return exactJson({ ...head, error: { code, message, ...(data !== undefined && { data }) } });
    }
  }

  return chain;
}

const hashOf = (text: string) => toBase58(createHash("sha256").update(text).digest());
const refused = (err: unknown, why: string) =>
  new RpcError(-32002, `Transaction simulation failed: ${why}`, { err, logs: [], accounts: null });

/** Bigints as the whole numbers they are. */
function exactJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `bigint:${inner}` : inner)).replace(
    /"bigint:(\d+)"/g,
    "$1",
  );
}

/** A plain mint, or a Token-2022 one with an extension behind it. */
function mintData(program: string, decimals: number): Buffer {
  const data = Buffer.alloc(program === TOKEN_2022 ? 170 : 82);
  data.writeUInt8(decimals, 44);
  data.writeUInt8(1, 45);
  if (program === TOKEN_2022) data.writeUInt8(1, 165);
  return data;
}

function toldTransaction(
  { accounts, steps, slot, error, before, after, signature, blockhash }: Landed,
  bank: SolanaBank,
) {
  const tokens = (balances: Landed["before"]) =>
    balances.tokens.map(({ at, account: { mint, owner, amount } }) => {
      const { decimals = 0, program: programId = "" } = bank.mints.get(mint) ?? {};
      const uiTokenAmount = {
        amount: amount.toString(),
        decimals,
        uiAmount: null,
        uiAmountString: amount.toString(),
      };
      return { accountIndex: at, mint, owner, programId, uiTokenAmount };
    });
  return {
    blockTime: 1_772_712_000,
    slot,
    version: 0,
    meta: {
      err: error,
      status: error === null ? { Ok: null } : { Err: error },
      fee: FEE,
      preBalances: before.lamports,
      postBalances: after.lamports,
      preTokenBalances: tokens(before),
      postTokenBalances: tokens(after),
      innerInstructions: [],
      logMessages: [],
      rewards: [],
      computeUnitsConsumed: 150,
    },
    transaction: {
      signatures: [signature],
      message: {
        accountKeys: accounts.map((pubkey, at) => ({
          pubkey,
          signer: at === 0,
          writable: true,
          source: "transaction",
        })),
        recentBlockhash: blockhash,
        addressTableLookups: [],
        instructions: steps.map(({ program, accounts: named, data }) => toldStep(program, named, data, bank)),
      },
    },
  };
}

function toldStep(programId: string, accounts: readonly string[], data: Buffer, bank: SolanaBank) {
  if (programId === SYSTEM) {
    const info = { source: accounts[0], destination: accounts[1], lamports: data.readBigUInt64LE(4) };
    return { program: "system", programId, stackHeight: 1, parsed: { type: "transfer", info } };
  }
  if (data[0] === 12) {
    const [source, mint = "", destination, authority] = accounts;
    const { decimals = 0 } = bank.mints.get(mint) ?? {};
    const tokenAmount = { amount: data.readBigUInt64LE(1).toString(), decimals };
    const info = { source, mint, destination, authority, tokenAmount };
    return { program: "spl-token", programId, stackHeight: 1, parsed: { type: "transferChecked", info } };
  }
  const [source, account, wallet, mint, systemProgram, tokenProgram] = accounts;
  const info = { source, account, wallet, mint, systemProgram, tokenProgram };
  return {
    program: "spl-associated-token-account",
    programId,
    stackHeight: 1,
    parsed: { type: "createIdempotent", info },
  };
}

/** The same on a port of this machine. */
export async function serveSolana(chain: FakeSolana): Promise<AsyncDisposable & { readonly url: string }> {
  const signal = new AbortController().signal;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = await chain.handler({
      method: request.method ?? "POST",
      path: "/",
      query: "",
      headers: {},
      body: Buffer.concat(chunks),
      remote: { address: "127.0.0.1", loopback: true },
      signal,
    });
    if (answer.body === "" && answer.status === 200) response.destroy();
    else response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
