import type { JsonObject } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { confirmed } from "../adapters/confirm.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { plain, rows, shortId, visiting } from "./context.ts";
import { agentNamed } from "./peers.ts";

const AGENT = { name: "agent", required: true, summary: "its id, the beginning of it, or its name" };
const AMOUNT = { name: "amount", required: true, summary: "in whole units, such as 0.29" };

/** What the agent owns, and paying with it. */
export function walletCommands(main: MainOptions): Command[] {
  return [
    {
      name: "wallet show",
      summary: "this agent's wallets: address and balance, or the balance in one token",
      arguments: [{ name: "token", required: false, summary: "SOL, DM, USDC, USDT, or a mint's address" }],
      options: [],
      run: (input) => balances(input, main),
    },
    {
      name: "wallet send",
      summary: "pay a connected agent from this agent's wallet; it cannot be undone",
      arguments: [
        AGENT,
        AMOUNT,
        { name: "token", required: false, summary: "SOL (default), DM, USDC, USDT, a mint" },
      ],
      options: [
        { flags: "--yes", summary: "without asking first" },
        { flags: "--silent", summary: "without a message to the agent that it was paid" },
      ],
      run: (input) => pay(input, main),
    },
  ];
}

async function balances(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { token } = input.args;
  const result = await visiting(input, main, "read", ({ call }) =>
    token === undefined
      ? call("darkmatter_wallet_balances")
      : call("darkmatter_get_balance", { mint: token }),
  );
  input.out.result(token === undefined ? walletList(result) : balanceText(result), result);
  return EXIT_OK;
}

function walletList(result: JsonObject): string {
  const lines = rows(result, "wallets").map(({ chain, address, balance, unit, error }) => {
    const held = balance === null ? plain(error) : `${plain(balance)} ${plain(unit)}`;
    return `${plain(chain).padEnd(8)}  ${plain(address)}  ${held}`;
  });
  return lines.length > 0 ? lines.join("\n") : "No wallet: DARKMATTER_SOLANA_RPC is none.";
}

function balanceText({ balance, token, wallet_address: address }: JsonObject): string {
  return `${plain(balance)} ${plain(token)}  in ${plain(address)}`;
}

async function pay(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { agent = "", amount = "", token = "SOL" } = input.args;
  if (!/^\d+(\.\d+)?$/.test(amount)) {
    throw nodeError("USAGE", "The amount must be a number such as 0.29.");
  }
  const agentId = await visiting(input, main, "read", ({ call }) => agentNamed(call, agent));
  if (input.options.yes !== true) {
    await confirmed(`Pay ${amount} ${token} to the agent ${agentId}? It cannot be undone.`);
  }
  const wanted = { agent_id: agentId, amount, notify: input.options.silent !== true };
  const result = await visiting(input, main, "act", ({ call }) =>
    token.toUpperCase() === "SOL"
      ? call("darkmatter_send_sol", wanted)
      : call("darkmatter_send_token", { ...wanted, mint: token }),
  );
  input.out.result(paidText(result, token), result);
  return EXIT_OK;
}

function paidText(
  { state, amount_exact: amount, to_agent_id: to, tx_signature: signature }: JsonObject,
  token: string,
) {
  const done = state === "confirmed" ? "Paid" : "On its way, not confirmed yet:";
  return `${done} ${plain(amount)} ${token} to ${shortId(to)}.\nTransaction ${plain(signature)}`;
}
