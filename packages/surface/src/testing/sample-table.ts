import type { JsonObject } from "@darkmatter/core";
import { z } from "zod";
import { type Tool, type ToolCall, type ToolTable, tool } from "../tool.ts";

const READ_ONLY = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

export interface SampleTable extends ToolTable {
  /** What the status tool's description says. */
  status: string;
  readonly calls: { name: string; input: JsonObject; call: ToolCall }[];
  /** How often somebody listens now. */
  readonly listeners: () => number;
  announce(): void;
}

/** A small table for this room's own tests: an echo, a hidden one, one that fails, and one that waits. */
export function sampleTable(): SampleTable {
  const listeners = new Set<() => void>();
  const calls: SampleTable["calls"] = [];
  const noted = <Input extends z.ZodObject>(definition: Tool<Input>): Tool => {
    const made = tool(definition);
    return {
      ...made,
      handle(input, call) {
        calls.push({ name: made.name, input: input as JsonObject, call });
        return made.handle(input, call);
      },
    };
  };
  const table: SampleTable = {
    status: "calm",
    calls,
    listeners: () => listeners.size,
    instructions: "Say something.",
    tools: [
      noted({
        name: "echo",
        title: "Echo",
        description: "Says it again.",
        input: z.object({
          words: z.string().min(1).max(20),
          mood: z.enum(["glad", "sad"]).default("glad"),
          times: z.int().optional(),
          tags: z.array(z.string()).optional(),
        }),
        annotations: READ_ONLY,
        visible: () => true,
        handle: async ({ words, mood, tags }) => ({ success: true, words, mood, ...(tags && { tags }) }),
      }),
      noted({
        name: "status",
        title: "Status",
        description: () => `LIVE STATUS: ${table.status}`,
        input: z.object({}),
        annotations: READ_ONLY,
        visible: () => true,
        handle: async () => ({ text: table.status }),
      }),
      noted({
        name: "hidden",
        title: "Hidden",
        description: "Not shown at first.",
        input: z.object({}),
        annotations: { ...READ_ONLY, readOnlyHint: false, idempotentHint: false },
        visible: () => false,
        handle: async () => ({ success: false, error: "nothing here" }),
      }),
      noted({
        name: "owners",
        title: "Owner's",
        description: "For the owner's commands alone.",
        input: z.object({}),
        annotations: READ_ONLY,
        audience: "owner",
        visible: () => true,
        handle: async () => ({ success: true }),
      }),
      noted({
        name: "broken",
        title: "Broken",
        description: "Throws.",
        input: z.object({}),
        annotations: READ_ONLY,
        visible: () => true,
        handle: async () => Promise.reject(new Error("secret of the house")),
      }),
      noted({
        name: "wait",
        title: "Wait",
        description: "Tells its progress, then waits until it is cancelled.",
        input: z.object({ forever: z.boolean() }),
        annotations: READ_ONLY,
        visible: () => true,
        async handle({ forever }, call) {
          for (const step of [1, 2, 3]) await call.progress(step, 3, `step ${step}`);
          if (forever) await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
          return { success: true, cancelled: call.signal.aborted };
        },
      }),
    ],
    decorate: async (session, result) => ({ ...result, _hint: `for ${session}` }),
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
    announce() {
      for (const listener of listeners) listener();
    },
    resources: [
      {
        uri: "darkmatter://status",
        name: "status",
        description: "The live status",
        mimeType: "text/plain",
        read: async () => table.status,
      },
    ],
  };
  return table;
}
