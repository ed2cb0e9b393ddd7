import type { Wire } from "@darkmatter/net";
import {
  type Address,
  appendTransactionMessageInstructions,
  address as asAddress,
  type Base64EncodedWireTransaction,
  compileTransaction,
  createKeyPairSignerFromPrivateKeyBytes,
  createTransactionMessage,
  getBase64EncodedWireTransaction,
  getSignatureFromTransaction,
  type Instruction,
  type KeyPairSigner,
  pipe,
  type Signature,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from "@solana/kit";
import { getTransferSolInstruction } from "@solana-program/system";
import {
  findAssociatedTokenPda,
  getCreateAssociatedTokenIdempotentInstructionAsync,
  getTransferCheckedInstruction,
} from "@solana-program/token";
import { meshError } from "../../errors.ts";
import { SOL, SOL_DECIMALS, type Transfer, type WalletProvider } from "../wallet.ts";
import { asked, openRpc, type SolanaRpc, unreachableChain } from "./solana-rpc.ts";
import { TOKEN_2022_PROGRAM, TOKEN_PROGRAM, transfersIn } from "./solana-transfers.ts";

type Chain = Pick<WalletProvider, "balance" | "decimals" | "prepare" | "submit" | "status" | "lookup">;

/** Where a mint (82 bytes and, with extensions, more) and a token account keep what is read of them. */
const MINT_BYTES = 82;
const DECIMALS_AT = 44;
const AMOUNT_AT = 64;
/** Behind the longest plain account, an extended one says what it is: 1 a mint. */
const KIND_AT = 165;
const KIND_MINT = 1;

/** A vote of two thirds of the stake: reverted never so far, and told a dozen seconds sooner than `finalized`. */
const commitment = "confirmed";

export async function openChain(options: {
  readonly seed: Uint8Array;
  readonly address: string;
  readonly wire: Wire;
  readonly rpcUrl: string;
}): Promise<Chain> {
  const rpc = openRpc(options.wire, options.rpcUrl);
  const signer = await createKeyPairSignerFromPrivateKeyBytes(options.seed);

  return {
    async balance(mint) {
      if (mint === undefined) {
        const { value } = await asked(rpc.getBalance(signer.address, { commitment }));
        return { raw: value, decimals: SOL_DECIMALS };
      }
      const { program, decimals } = await readMint(rpc, mint);
      const [account] = await tokenAccount(signer.address, mint, program);
      const found = await readAccount(rpc, account);
      return { raw: found ? found.data.readBigUInt64LE(AMOUNT_AT) : 0n, decimals };
    },

    decimals: async (token) => (token === SOL ? SOL_DECIMALS : (await readMint(rpc, token)).decimals),

    async prepare(transfer) {
      const { instructions, createsAccount } = await stepsOf(rpc, signer, transfer);
      const { context, value: lifetime } = await asked(rpc.getLatestBlockhash({ commitment }));
      const message = pipe(
        createTransactionMessage({ version: 0 }),
        (empty) => setTransactionMessageFeePayerSigner(signer, empty),
        (paid) => setTransactionMessageLifetimeUsingBlockhash(lifetime, paid),
        (timed) => appendTransactionMessageInstructions(instructions, timed),
      );
      // Without a signature: what the chain is asked about must not be able to land before it is written down.
      await rehearse(rpc, getBase64EncodedWireTransaction(compileTransaction(message)));
      const signed = await signTransactionMessageWithSigners(message);
      return {
        bytes: getBase64EncodedWireTransaction(signed),
        signature: getSignatureFromTransaction(signed),
        lastValidBlockHeight: Number(lifetime.lastValidBlockHeight),
        sinceSlot: Number(context.slot),
        createsAccount,
      };
    },

    async submit(bytes) {
      const wired = bytes as Base64EncodedWireTransaction;
      await asked(rpc.sendTransaction(wired, { encoding: "base64", preflightCommitment: commitment }));
    },

    async status(signature, lastValidBlockHeight, sinceSlot) {
      const first = await standing(rpc, signature);
      if (first.status !== undefined) return first.status;
      const tip = await asked(rpc.getEpochInfo({ commitment: "finalized" }));
      if (tip.blockHeight <= BigInt(lastValidBlockHeight)) return "pending";
      // It may have landed since the first look; and of two nodes behind one address one may lag behind the other.
      const last = await standing(rpc, signature);
      if (last.status !== undefined) return last.status;
      if (sinceSlot !== undefined && (await asked(rpc.getFirstAvailableBlock())) > BigInt(sinceSlot)) {
        throw unreachableChain("it has forgotten the time of this transaction");
      }
      return last.slot >= tip.absoluteSlot ? "expired" : "pending";
    },

    async lookup(signature) {
      const found = await asked(
        rpc.getTransaction(signature as Signature, {
          commitment,
          encoding: "jsonParsed",
          maxSupportedTransactionVersion: 0,
        }),
      );
      return found === null ? undefined : transfersIn(found);
    },
  };
}

/** How far a transaction is; without a status when the chain does not know it. */
async function standing(rpc: SolanaRpc, signature: string) {
  const { context, value } = await asked(
    rpc.getSignatureStatuses([signature as Signature], { searchTransactionHistory: true }),
  );
  const found = value[0];
  if (!found) return { slot: context.slot, status: undefined };
  // What only one node has processed, another fork may do otherwise.
  if (found.confirmationStatus === "processed") return { slot: context.slot, status: "pending" as const };
  return { slot: context.slot, status: found.err === null ? ("confirmed" as const) : ("failed" as const) };
}

async function stepsOf(rpc: SolanaRpc, signer: KeyPairSigner, { to, token, raw, decimals }: Transfer) {
  const owner = asAddress(to);
  if (token === SOL) {
    const pay = getTransferSolInstruction({ source: signer, destination: owner, amount: raw });
    return { instructions: [pay] as readonly Instruction[], createsAccount: false };
  }
  const mint = asAddress(token);
  const { program } = await readMint(rpc, token);
  const [source] = await tokenAccount(signer.address, token, program);
  const [destination] = await tokenAccount(owner, token, program);
  const createsAccount = (await readAccount(rpc, destination)) === undefined;
  const create = { payer: signer, owner, mint, ata: destination, tokenProgram: program };
  const pay = { source, mint, destination, authority: signer, amount: raw, decimals };
  const instructions: readonly Instruction[] = [
    ...(createsAccount ? [await getCreateAssociatedTokenIdempotentInstructionAsync(create)] : []),
    getTransferCheckedInstruction(pay, { programAddress: program }),
  ];
  return { instructions, createsAccount };
}

const tokenAccount = (owner: Address, mint: string, tokenProgram: Address) =>
  findAssociatedTokenPda({ owner, mint: asAddress(mint), tokenProgram });

async function readAccount(rpc: SolanaRpc, account: Address) {
  const { value } = await asked(rpc.getAccountInfo(account, { commitment, encoding: "base64" }));
  return value ? { owner: value.owner, data: Buffer.from(value.data[0], "base64") } : undefined;
}

/** Which program keeps a token, and its decimals: both are the mint account's to say. @throws NO_SUCH_TOKEN */
async function readMint(rpc: SolanaRpc, mint: string): Promise<{ program: Address; decimals: number }> {
  const found = await readAccount(rpc, asAddress(mint));
  const isExtended = found?.owner === TOKEN_2022_PROGRAM && found.data[KIND_AT] === KIND_MINT;
  const isPlain = found?.owner === TOKEN_PROGRAM || found?.owner === TOKEN_2022_PROGRAM;
  if (!found || !(isExtended || (isPlain && found.data.length === MINT_BYTES))) {
    throw meshError("NO_SUCH_TOKEN");
  }
  return { program: found.owner, decimals: found.data.readUInt8(DECIMALS_AT) };
}

/** Lets the chain try a transaction without keeping it. @throws INSUFFICIENT_FUNDS, TRANSFER_IMPOSSIBLE */
async function rehearse(rpc: SolanaRpc, bytes: Base64EncodedWireTransaction): Promise<void> {
  const { value } = await asked(
    rpc.simulateTransaction(bytes, { commitment, encoding: "base64", sigVerify: false }),
  );
  if (value.err === null) return;
  const why = JSON.stringify(value.err, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner));
  // Custom 1 is "insufficient funds" of the system program and of both token programs.
  if (/Insufficient|AccountNotFound|"Custom":1[}\]]/.test(why)) throw meshError("INSUFFICIENT_FUNDS");
  const name = /[A-Za-z]{1,40}/g[Symbol.match](why)?.at(-1) ?? "unknown";
  throw meshError("TRANSFER_IMPOSSIBLE", `The chain would refuse this transfer (${name}).`);
}
