import { fromHex } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner } from "@darkmatter/identity";
import { memoryInternet } from "@darkmatter/net/testing";
import { expect, test } from "vitest";
import { fakeSolana } from "../../testing/fake-solana.ts";
import { TOKEN_2022 } from "../../testing/solana-bank.ts";
import { amountOf } from "../amount.ts";
import { toBase58 } from "../base58.ts";
import { SOL } from "../wallet.ts";
import { createSolanaWallet } from "./solana.ts";
import { transfersIn } from "./solana-transfers.ts";

const RPC = "http://127.0.0.1:8899/?api-key=very-secret";
const RECIPIENT = "5PnCE49Low158SAxdTyJgp9Vxw226ABaHgJ5WBAzfZ56";
const sol = (raw: bigint, to = RECIPIENT) => ({ to, token: SOL, raw, decimals: 9 });

function world() {
  const clock = virtualClock({ startMs: 0 });
  const host = memoryInternet({ clock, random: seededRandom(1) }).host({ address: "192.168.7.1" });
  const chain = fakeSolana();
  const port = host.listen(8899, chain.handler);
  const signer = createSigner(
    fromHex("30a41fb695e920f56f060d2d0fd9b680159d7224ced475e4a8375e8c18cf065e") ?? "",
  );
  const wallet = createSolanaWallet({ signer, wire: host.wire, rpcUrl: RPC });
  chain.bank.lamports.set(wallet.address, 10_000_000_000n);
  return { chain, wallet, port, host };
}

test("the address is the derived key's, and nothing is asked for it", () => {
  const { chain, wallet } = world();
  expect(wallet.address).toBe("HEVKWVpEM51jZPp8gHMmQWGNviWrLpcaeLdQuwppqV9z");
  expect(chain.calls).toEqual([]);
});

test("a transfer is signed without being sent, lands once when sent, and is told by the chain as it was meant", async () => {
  const { chain, wallet } = world();
  const prepared = await wallet.prepare(sol(290_000_000n));
  expect(chain.sent).toEqual([]);
  expect(await wallet.lookup(prepared.signature)).toBeUndefined();
  expect(await wallet.status(prepared.signature, prepared.lastValidBlockHeight)).toBe("pending");

  await wallet.submit(prepared.bytes);
  await expect(wallet.submit(prepared.bytes)).rejects.toMatchObject({ code: "CHAIN_UNREACHABLE" });

  expect(chain.bank.lamports.get(RECIPIENT)).toBe(290_000_000n);
  expect(await wallet.status(prepared.signature, prepared.lastValidBlockHeight)).toBe("confirmed");
  expect(await wallet.lookup(prepared.signature)).toEqual({
    failed: false,
    moved: [{ from: wallet.address, to: RECIPIENT, raw: 290_000_000n, token: SOL, decimals: 9 }],
  });
});

test("a transfer is rehearsed without a signature: what is only asked about cannot land", async () => {
  const { chain, wallet } = world();
  await wallet.prepare(sol(5n));
  expect(chain.rehearsed).toHaveLength(1);
  const [bytes = ""] = chain.rehearsed;
  expect(Buffer.from(bytes, "base64").subarray(1, 65)).toEqual(Buffer.alloc(64));
  await expect(wallet.submit(bytes)).rejects.toMatchObject({ code: "CHAIN_UNREACHABLE" });
  expect(chain.landed).toEqual([]);
});

test("a transaction that was changed after it was signed does not land", async () => {
  const { chain, wallet } = world();
  const { bytes } = await wallet.prepare(sol(5n));
  const raw = Buffer.from(bytes, "base64");
  for (const at of [1, 64, 70, raw.length - 9, raw.length - 1]) {
    const changed = Buffer.from(raw);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    await expect(wallet.submit(changed.toString("base64"))).rejects.toMatchObject({
      code: "CHAIN_UNREACHABLE",
    });
  }
  expect(chain.landed).toEqual([]);
  await wallet.submit(bytes);
  expect(chain.landed).toHaveLength(1);
});

test("lamports beyond what a float holds arrive exactly", async () => {
  const { chain, wallet } = world();
  chain.bank.lamports.set(wallet.address, 20_000_000_000_000_003n);
  const { raw } = await wallet.balance();
  expect(raw).toBe(20_000_000_000_000_003n);
  const { bytes, signature } = await wallet.prepare(sol(9_007_199_254_740_993n));
  await wallet.submit(bytes);
  expect((await wallet.lookup(signature))?.moved[0]?.raw).toBe(9_007_199_254_740_993n);
});

test("what was never sent is expired only when the finalized chain has passed its last block", async () => {
  const { chain, wallet } = world();
  const { signature, lastValidBlockHeight } = await wallet.prepare(sol(1n));
  chain.advance(150);
  expect(await wallet.status(signature, lastValidBlockHeight)).toBe("pending");
  chain.advance(32);
  expect(await wallet.status(signature, lastValidBlockHeight)).toBe("pending");
  chain.advance(1);
  expect(await wallet.status(signature, lastValidBlockHeight)).toBe("expired");
});

test("a node that has forgotten the time of a transaction does not say that it never landed", async () => {
  const { chain, wallet } = world();
  const { signature, lastValidBlockHeight, sinceSlot } = await wallet.prepare(sol(1n));
  chain.advance(5000);
  chain.firstSlot = (sinceSlot ?? 0) + 1;
  const asked = () => wallet.status(signature, lastValidBlockHeight, sinceSlot);
  await expect(asked()).rejects.toMatchObject({ code: "CHAIN_UNREACHABLE" });
  chain.firstSlot = sinceSlot ?? 0;
  expect(await asked()).toBe("expired");
});

test("a transaction that failed on the chain moved nothing", async () => {
  const { chain, wallet } = world();
  const { bytes, signature, lastValidBlockHeight } = await wallet.prepare(sol(5n));
  chain.next("fail");
  await wallet.submit(bytes);
  expect(await wallet.status(signature, lastValidBlockHeight)).toBe("failed");
  expect(await wallet.lookup(signature)).toEqual({ failed: true, moved: [] });
});

test("more than there is, is refused before anything is signed", async () => {
  const { chain, wallet } = world();
  await expect(wallet.prepare(sol(10_000_000_001n))).rejects.toMatchObject({ code: "INSUFFICIENT_FUNDS" });
  chain.bank.lamports.delete(wallet.address);
  await expect(wallet.prepare(sol(1n))).rejects.toMatchObject({ code: "INSUFFICIENT_FUNDS" });
});

test.each([
  ["classic", {}],
  ["Token-2022", { program: TOKEN_2022 }],
])("a %s token goes to an account that is made for the recipient", async (_, options) => {
  const { chain, wallet } = world();
  const mint = chain.bank.mint("credits", 6, options);
  await chain.bank.give(wallet.address, mint, 5_000_000n);
  expect(await wallet.balance(mint)).toEqual({ raw: 5_000_000n, decimals: 6 });
  expect(await wallet.decimals(mint)).toBe(6);

  const transfer = { to: RECIPIENT, token: mint, raw: 1_250_000n, decimals: 6 };
  const first = await wallet.prepare(transfer);
  expect(first.createsAccount).toBe(true);
  await wallet.submit(first.bytes);

  expect(await wallet.lookup(first.signature)).toEqual({
    failed: false,
    moved: [{ from: wallet.address, to: RECIPIENT, raw: 1_250_000n, token: mint, decimals: 6 }],
  });
  chain.advance(1);
  const second = await wallet.prepare(transfer);
  expect(second.createsAccount).toBe(false);
  await wallet.submit(second.bytes);
  expect(amountOf((await wallet.balance(mint)).raw, 6)).toBe("2.5");
});

test("a token that keeps a fee of its own counts for what arrived", async () => {
  const { chain, wallet } = world();
  const mint = chain.bank.mint("taxed", 2, { program: TOKEN_2022, feeBasisPoints: 1000 });
  await chain.bank.give(wallet.address, mint, 1000n);
  const { bytes, signature } = await wallet.prepare({ to: RECIPIENT, token: mint, raw: 1000n, decimals: 2 });
  await wallet.submit(bytes);
  expect((await wallet.lookup(signature))?.moved).toMatchObject([{ raw: 900n }]);
});

test("several steps of a transaction count for no more than what arrived of them all", () => {
  const [mint, payer] = ["mint", "payer"];
  const balance = (accountIndex: number, owner: string, amount: string) => ({
    ...{ accountIndex, mint, owner },
    uiTokenAmount: { amount, decimals: 0 },
  });
  const step = {
    programId: TOKEN_2022,
    parsed: {
      type: "transferChecked",
      info: { source: "a", destination: "b", tokenAmount: { amount: "100" } },
    },
  };
  const told = (arrived: string) =>
    transfersIn({
      meta: {
        err: null,
        preBalances: [1, 1],
        postBalances: [1, 1],
        preTokenBalances: [balance(0, payer, "200"), balance(1, RECIPIENT, "0")],
        postTokenBalances: [balance(0, payer, "0"), balance(1, RECIPIENT, arrived)],
        innerInstructions: [{ instructions: [step] }],
      },
      transaction: {
        message: { accountKeys: [{ pubkey: "a" }, { pubkey: "b" }], instructions: [step] },
      },
    }).moved.reduce((sum, { raw }) => sum + raw, 0n);
  expect(told("200")).toBe(200n);
  // A mint that keeps a tenth of each.
  expect(told("180")).toBe(180n);
  // One of them was taken back in between.
  expect(told("100")).toBe(100n);
  expect(told("0")).toBe(0n);
});

test("what is no mint is no token", async () => {
  const { wallet } = world();
  await expect(wallet.balance(RECIPIENT)).rejects.toMatchObject({ code: "NO_SUCH_TOKEN" });
  await expect(wallet.decimals(wallet.address)).rejects.toMatchObject({ code: "NO_SUCH_TOKEN" });
});

test("no error says where the chain is asked, nor what it said", async () => {
  const { chain, wallet, port } = world();
  const failures: unknown[] = [];
  const note = (error: unknown) => void failures.push(error);
  chain.isDown = true;
  await wallet.balance().catch(note);
  chain.isDown = false;
  const { bytes } = await wallet.prepare(sol(1n));
  chain.next("refuse");
  await wallet.submit(bytes).catch(note);
  chain.next("silent");
  await wallet.submit(bytes).catch(note);
  port[Symbol.dispose]();
  await wallet.balance().catch(note);

  expect(failures).toHaveLength(4);
  for (const error of failures) {
    expect(error).toMatchObject({ code: "CHAIN_UNREACHABLE" });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/secret|8899|behind/);
  }
});

test("signatures and addresses have one spelling", () => {
  const { wallet } = world();
  const address = "5PnCE49Low158SAxdTyJgp9Vxw226ABaHgJ5WBAzfZ56";
  expect(wallet.isAddress(address)).toBe(true);
  for (const wrong of ["", "x", `1${address}`, `${address} `, "0OIl", "1".repeat(33)]) {
    expect(wallet.isAddress(wrong)).toBe(false);
  }
  const signature = toBase58(new Uint8Array(64).fill(7));
  expect(wallet.normalSignature(signature)).toBe(signature);
  expect(wallet.normalSignature(`1${signature}`)).toBeUndefined();
  expect(wallet.normalSignature("sig123")).toBeUndefined();
});
