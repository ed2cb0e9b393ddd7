import { DarkMatterError, type JsonObject } from "@darkmatter/core";
import { once, type Write } from "@darkmatter/store";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import type { Checkpoints } from "./checkpoints/checkpoints.ts";
import { createDisclosures } from "./disclosures/disclosures.ts";
import { erasePlanned, planErasure } from "./disclosures/erasure.ts";
import { ledgerError } from "./errors.ts";
import type { LedgerPorts } from "./ports.ts";
import type { LedgerReader } from "./reader.ts";
import type { Witnesses } from "./witnesses/witnesses.ts";

/** What a node has beside its ledger, and the ledger's tools act on. */
export interface LedgerSurroundings {
  /** Erases the other copies of a message's words, in the transaction that erases the ledger's. */
  eraseMessage(tx: Write, messageId: string): Promise<void>;
  /** Keeps a bundle where the agent can find it, for its owner alone; its path. `undefined`: there is no such place. */
  readonly keepBundle: ((name: string, text: string) => Promise<string>) | undefined;
}

/** A ledger with nothing around it. */
export const ALONE: LedgerSurroundings = { eraseMessage: async () => undefined, keepBundle: undefined };

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

/** `prove` for agents; the others act for the commands: they are asked of whoever owns the state, and never listed. */
export function ledgerTools(services: LedgerServices): Tool[] {
  const { keepBundle } = services.surroundings;
  const hidden = [checkpointTool(services), eraseTool(services)];
  return keepBundle ? [proveTool(services, keepBundle), ...hidden] : hidden;
}

function proveTool(
  services: LedgerServices,
  keepBundle: (name: string, text: string) => Promise<string>,
): Tool {
  const { read, hasCommits, ports } = services;
  const { db } = ports;
  return tool({
    name: "darkmatter_prove",
    title: "Prove a conversation",
    description:
      "Use this to get proof of a conversation: who sent, received and answered what, in which order. Writes a file " +
      "that anybody can check offline. Signatures and receipts are shown; words only where disclose names them.",
    input: z.object({
      about: name.describe("A message id, or a commit's id (ctx_…) or hash."),
      disclose: names.default([]).describe('Fields to show: "content", "response", "metadata"; or "all".'),
    }),
    annotations: SIGNS,
    visible: hasCommits,
    handle: ({ about, disclose }) =>
      answered(async () => {
        const tip = await read.commits.find(db, about);
        await signed(services);
        const isShown = (field: string) => disclose.includes("all") || disclose.includes(field);
        const bundle = await read.exportBundle(db, { tip: tip.id, disclose: isShown });
        requireShown(bundle.open, disclose);
        const file = await keepBundle(`darkmatter_${tip.id}.json`, bundle.text);
        return {
          success: true,
          file,
          steps: bundle.steps,
          export_hash: bundle.exportHash,
          tip_hash: bundle.tipHash,
          witnesses: bundle.witnesses,
          disclosed: { ...bundle.open },
          closed: { ...bundle.closed },
          next_step:
            "Hand over the file. Anybody checks it with: darkmatter verify FILE (or interop/verify.py FILE).",
        };
      }),
  });
}

/** A name mistyped must not be left out in silence: it may be what was to be proven. */
function requireShown(open: Readonly<Record<string, number>>, wanted: readonly string[]): void {
  const missing = wanted.filter((field) => field !== "all" && open[field] === undefined);
  if (missing.length > 0) throw ledgerError("NO_SUCH_FIELD", `No such field is held: ${missing.join(", ")}.`);
}

function checkpointTool(services: LedgerServices): Tool {
  return tool({
    name: "darkmatter_ledger_checkpoint",
    title: "Sign the log as it is",
    description: "Signs this node's log as it is now, and asks the connected agents to witness it.",
    input: z.object({}),
    annotations: SIGNS,
    visible: () => false,
    handle: () => answered(() => signed(services)),
  });
}

/** Signs the log, has it witnessed, and says what came of that. */
async function signed({ ports, checkpoints, witnesses }: LedgerServices): Promise<JsonObject> {
  const { db } = ports;
  const checkpoint = await db.write((tx) => checkpoints.make(tx));
  if (!checkpoint) return { checkpoint: null, asked: [], witnesses: [] };
  const asked = await witnesses.ask();
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
      "Erases values of a commit, or of every commit about a message. The chain of commits stays whole.",
    input: z.object({ what: name, fields: names.optional() }),
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

/** What the caller did wrong becomes a result that says what to do. */
async function answered(act: () => Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof DarkMatterError)) throw error;
    return { success: false, error: error.message, next_step: error.hint };
  }
}
