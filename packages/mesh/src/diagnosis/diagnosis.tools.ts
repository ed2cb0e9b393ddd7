import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered } from "../answers.ts";
import type { Services } from "../services.ts";
import { diagnose } from "./diagnosis.ts";

const NO_INPUT = z.object({});

/** What `darkmatter doctor` asks a node; never shown to an agent, which has `darkmatter_status`. */
export function diagnosisTools(services: Services): Tool[] {
  return [
    tool({
      name: "darkmatter_diagnose",
      title: "Check how this node is reached",
      description: "Use this to check this node's ways to every peer and anchor.",
      input: NO_INPUT,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      visible: () => false,
      handle: () => answered(() => diagnose(services)),
    }),
  ];
}
