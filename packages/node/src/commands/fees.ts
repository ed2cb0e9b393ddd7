import type { JsonObject } from "@darkmatter/core";
import { type Command, EXIT_OK } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { plain, rows, visiting } from "./context.ts";

/** What became of the 1 % of payments. */
export function feeCommands(main: MainOptions): Command[] {
  return [
    {
      name: "fees",
      summary: "what became of the fees of payments this agent got, and of those it passed on",
      arguments: [],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "read", ({ call }) => call("darkmatter_owner_fees"));
        const lines = rows(result, "fees").map(line);
        input.out.result(lines.length > 0 ? lines.join("\n") : "No fees yet.", result);
        return EXIT_OK;
      },
    },
  ];
}

function line({ timestamp, type, signal_id: signal, amount, token, reason }: JsonObject): string {
  const much = typeof amount === "number" ? `${amount} ${plain(token ?? "")}`.trim() : "";
  const what = plain(type)
    .replace(/^antimatter_/, "")
    .replaceAll("_", " ");
  return [plain(timestamp), what.padEnd(18), plain(signal ?? ""), much, plain(reason ?? "")]
    .join("  ")
    .trimEnd();
}
