import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered } from "../answers.ts";
import type { Services } from "../services.ts";

const NO_INPUT = z.object({});

/** For the owner's command `fees`. */
export function antimatterTools({ db, antimatter }: Services): Tool[] {
  return [
    tool({
      name: "darkmatter_owner_fees",
      title: "Fees",
      description: "What happened to the fees of payments this agent got, and of those it routed for others.",
      audience: "owner",
      input: NO_INPUT,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      visible: () => true,
      handle: () => answered(async () => ({ success: true, fees: await antimatter.log(db) })),
    }),
  ];
}
