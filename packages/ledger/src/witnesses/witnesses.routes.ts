import { type Guard, json, type Route } from "@darkmatter/surface";
import { refusalAnswer } from "./refusals.ts";
import type { Witnesses } from "./witnesses.ts";

/** A checkpoint is below 1 KiB, its longest consistency proof below 8. */
const CHECKPOINT_BYTES_MAX = 16 * 1024;
const EVIDENCE_BYTES_MAX = 8 * 1024;

/** `guards` come first: whether the node is ready, and its limit over all requests. */
export function witnessRoutes(witnesses: Witnesses, guards: readonly Guard[]): Route[] {
  return [
    {
      method: "POST",
      path: "/__darkmatter__/checkpoint",
      summary: "A connected agent asks this one to witness its log.",
      guards,
      body: "json",
      maxBytes: CHECKPOINT_BYTES_MAX,
      async handle({ json: body, remote }) {
        const verdict = await witnesses.witness(body, remote.address);
        if (verdict.kind === "refused") return refusalAnswer(verdict);
        const { witnessId, signature, witnessedAt } = verdict;
        return json(200, { witness_id: witnessId, witness_sig: signature, witnessed_at: witnessedAt });
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/evidence",
      summary: "Proof, by its own signatures, that an agent's log has two histories.",
      guards,
      body: "json",
      maxBytes: EVIDENCE_BYTES_MAX,
      async handle({ json: body, remote }) {
        const verdict = await witnesses.accuse(body, remote.address);
        return verdict.kind === "refused" ? refusalAnswer(verdict) : json(200, { recorded: true });
      },
    },
  ];
}
