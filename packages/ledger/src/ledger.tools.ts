import type { JsonObject } from "@darkmatter/core";
import { once, type Write } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered } from "./answers.ts";
import { type BundleFiles, proveTool } from "./bundles/prove.tools.ts";
import type { Checkpoints } from "./checkpoints/checkpoints.ts";
import { createDisclosures } from "./disclosures/disclosures.ts";
import { erasePlanned, planErasure } from "./disclosures/erasure.ts";
import type { LedgerPorts } from "./ports.ts";
import type { LedgerReader } from "./reader.ts";
import type { Witnesses } from "./witnesses/witnesses.ts";

/** What a node has beside its ledger, and the ledger's tools act on. */
export interface LedgerSurroundings {
  /** Erases the other copies of a message's words, in the transaction that erases the ledger's. */
  eraseMessage(tx: Write, messageId: string): Promise<void>;
  /** Where an agent's bundles lie; `undefined` when there is no such place. */
  readonly files: BundleFiles | undefined;
}

/** A ledger with nothing around it. */
export const ALONE: LedgerSurroundings = { eraseMessage: async () => undefined, files: undefined };

export interface LedgerServices {
  readonly ports: LedgerPorts;
  readonly surroundings: LedgerSurroundings;
  readonly checkpoints: Checkpoints;
  readonly witnesses: Pick<Witnesses, "ask">;
  readonly read: LedgerReader;
  /** Whether there is anything to prove. */
  hasCommits(): boolean;
}

const SIGNS = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true };
const ERASES = { ...SIGNS, destructiveHint: true, openWorldHint: false };

const name = z.string().min(1).max(200);
const names = z.array(name).max(50);

const NO_INPUT = z.object({});
const LedgerEraseInput = z.object({ what: name, fields: names.optional() });

/** `prove` for agents; the others act for the commands: they are asked of whoever owns the state, and never listed. */
export function ledgerTools(services: LedgerServices): Tool[] {
  const { files } = services.surroundings;
  const hidden = [checkpointTool(services), eraseTool(services)];
  if (!files) return hidden;
  const { ports, read, hasCommits } = services;
  return [proveTool({ ports, read, files, hasCommits, sign: () => signed(services) }), ...hidden];
}

function checkpointTool(services: LedgerServices): Tool {
  return tool({
    name: "darkmatter_ledger_checkpoint",
    title: "Sign the log as it is",
    description:
      "Use this to sign this node's log as it is now, and to ask the connected agents to witness it.",
    input: NO_INPUT,
    annotations: SIGNS,
    visible: () => false,
    handle: () => answered(() => signed(services)),
  });
}

/** Signs the log, has it witnessed, and says what came of that. */
async function signed({ ports, checkpoints, witnesses }: LedgerServices): Promise<JsonObject> {
  const { db } = ports;
  // In this order: who is asked tells first whether this state is older than what it holds.
  const asked = await witnesses.ask();
  const checkpoint = await db.write((tx) => checkpoints.make(tx));
  if (!checkpoint) return { checkpoint: null, asked: [], witnesses: [] };
  const signatures = await checkpoints.witnessSignatures(db, checkpoint.checkpoint_id);
  return {
    checkpoint: { ...checkpoint },
    asked: asked.map(({ agentId, outcome, reason }) => ({ agent_id: agentId, outcome, reason })),
    witnesses: signatures.map((one) => ({
      witness_id: one.witnessId,
      agent_id: one.agentId,
      name: one.name,
      witnessed_at: one.witnessedAt,
    })),
  };
}

function eraseTool({ ports, surroundings }: LedgerServices): Tool {
  const { db } = ports;
  const disclosures = createDisclosures(ports);
  return tool({
    name: "darkmatter_ledger_erase",
    title: "Erase what was kept of an act",
    description:
      "Use this to erase values of a commit, or of every commit about a message. The chain of commits stays whole.",
    input: LedgerEraseInput,
    annotations: ERASES,
    visible: () => false,
    handle: ({ what, fields }, { callId }) =>
      answered(async () => {
        const result = await db.write((tx) =>
          once(tx, callId, async () => {
            const plan = await planErasure(tx, disclosures, what, fields ?? "all");
            await erasePlanned(tx, disclosures, plan);
            for (const messageId of plan.messageIds) await surroundings.eraseMessage(tx, messageId);
            const erased = plan.steps.map((step) => ({
              commit: step.commitId,
              act: step.act,
              fields: [...step.fields],
            }));
            return { erased, messages: [...plan.messageIds] };
          }),
        );
        return { ...result, purged: await db.purge() };
      }),
  });
}
