import { z } from "zod";
import { type ChainTransfer, type Moved, SOL, SOL_DECIMALS } from "../wallet.ts";

export const SYSTEM_PROGRAM = "11111111111111111111111111111111";
export const TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
export const TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";

const whole = z
  .union([z.bigint(), z.int(), z.string().regex(/^\d{1,20}$/)])
  .transform((value) => BigInt(value));
const index = z.union([z.bigint(), z.number()]).transform(Number);
const text = z.string();

const Instruction = z.object({
  programId: text,
  parsed: z
    .object({ type: text, info: z.record(text, z.unknown()) })
    .optional()
    .catch(undefined),
});
const TokenBalance = z.object({
  accountIndex: index,
  mint: text,
  owner: text.optional(),
  uiTokenAmount: z.object({ amount: whole, decimals: index }),
});
const tokenBalances = z.array(TokenBalance).nullish();

/** A transaction as `getTransaction` with `jsonParsed` tells it: as far as it says who moved what. */
const ParsedTransaction = z.object({
  meta: z.object({
    err: z.unknown(),
    preBalances: z.array(whole),
    postBalances: z.array(whole),
    preTokenBalances: tokenBalances,
    postTokenBalances: tokenBalances,
    innerInstructions: z.array(z.object({ instructions: z.array(Instruction) })).nullish(),
  }),
  transaction: z.object({
    message: z.object({
      accountKeys: z.array(z.object({ pubkey: text })),
      instructions: z.array(Instruction),
    }),
  }),
});
type ParsedTransaction = z.output<typeof ParsedTransaction>;
type Instruction = z.output<typeof Instruction>;

/**
 * What a transaction moved. What its instructions say counts, together, as far as the recipient's balance grew: a token
 * may keep a fee of each, or let its issuer take it back. @throws what `z.parse` throws for an answer of another shape
 */
export function transfersIn(answer: unknown): ChainTransfer {
  const transaction = ParsedTransaction.parse(answer);
  const { meta } = transaction;
  if (meta.err !== null && meta.err !== undefined) return { failed: true, moved: [] };
  const inner = (meta.innerInstructions ?? []).flatMap(({ instructions }) => instructions);
  const steps = [...transaction.transaction.message.instructions, ...inner];
  const accounts = accountsOf(transaction);
  const counted = new Map<string, bigint>();
  return { failed: false, moved: steps.flatMap((step) => movedBy(step, accounts, counted)) };
}

interface Account {
  readonly grewBy: bigint;
  readonly token?: {
    readonly mint: string;
    readonly owner: string;
    readonly decimals: number;
    readonly grewBy: bigint;
  };
}

function accountsOf({ meta, transaction }: ParsedTransaction): ReadonlyMap<string, Account> {
  const before = new Map((meta.preTokenBalances ?? []).map((one) => [one.accountIndex, one]));
  const after = new Map((meta.postTokenBalances ?? []).map((one) => [one.accountIndex, one]));
  const accounts = transaction.message.accountKeys.map(({ pubkey }, at): [string, Account] => {
    const grewBy = (meta.postBalances[at] ?? 0n) - (meta.preBalances[at] ?? 0n);
    const known = after.get(at) ?? before.get(at);
    if (!known?.owner) return [pubkey, { grewBy }];
    const { mint, owner, uiTokenAmount } = known;
    const amount = (balances: typeof after) => balances.get(at)?.uiTokenAmount.amount ?? 0n;
    const token = {
      mint,
      owner,
      decimals: uiTokenAmount.decimals,
      grewBy: amount(after) - amount(before),
    };
    return [pubkey, { grewBy, token }];
  });
  return new Map(accounts);
}

/** `counted`: what earlier steps brought, by coin and account; what is told here is added. */
function movedBy(
  { programId, parsed }: Instruction,
  accounts: ReadonlyMap<string, Account>,
  counted: Map<string, bigint>,
): Moved[] {
  if (!parsed) return [];
  const { source, destination, lamports } = parsed.info;
  if (typeof source !== "string" || typeof destination !== "string") return [];
  const from = accounts.get(source);
  const to = accounts.get(destination);
  if (programId === SYSTEM_PROGRAM && parsed.type === "transfer") {
    const raw = arrived(`${SOL} ${destination}`, whole.safeParse(lamports).data, to?.grewBy, counted);
    return raw === undefined
      ? []
      : [{ from: source, to: destination, raw, token: SOL, decimals: SOL_DECIMALS }];
  }
  const isToken = programId === TOKEN_PROGRAM || programId === TOKEN_2022_PROGRAM;
  if (!isToken || !/^transfer(Checked|CheckedWithFee)?$/.test(parsed.type)) return [];
  if (!from?.token || !to?.token || from.token.mint !== to.token.mint) return [];
  const raw = arrived(`token ${destination}`, tokenAmount(parsed.info), to.token.grewBy, counted);
  if (raw === undefined) return [];
  const { mint, decimals, owner } = to.token;
  return [{ from: from.token.owner, to: owner, raw, token: mint, decimals }];
}

function tokenAmount({ amount, tokenAmount: checked }: Record<string, unknown>): bigint | undefined {
  const told = z.object({ amount: whole }).safeParse(checked).data?.amount;
  return told ?? whole.safeParse(amount).data;
}

/** What of a step's amount arrived, after what was counted before; nothing where one is unknown or nothing came. */
function arrived(
  account: string,
  told: bigint | undefined,
  grewBy: bigint | undefined,
  counted: Map<string, bigint>,
): bigint | undefined {
  if (told === undefined || grewBy === undefined) return undefined;
  const before = counted.get(account) ?? 0n;
  const left = grewBy - before;
  const raw = told < left ? told : left;
  if (raw <= 0n) return undefined;
  counted.set(account, before + raw);
  return raw;
}
