import { type Tool, tool } from "@darkmatter/surface";
import { answered } from "../answers.ts";
import type { Services } from "../services.ts";
import { poolActs } from "./pool-acts.ts";

/** For the owner's commands alone: `darkmatter_owner_pool_create` and the like. */
export const poolTools = (services: Services): Tool[] =>
  poolActs(services).map((act) =>
    tool({
      name: `darkmatter_owner_pool_${act.name}`,
      title: act.summary,
      description: act.summary,
      input: act.input,
      audience: "owner",
      annotations: {
        readOnlyHint: act.reads === true,
        destructiveHint: !act.reads,
        idempotentHint: act.reads === true,
        openWorldHint: true,
      },
      visible: () => true,
      handle: (input) => answered(() => act.run(input)),
    }),
  );
