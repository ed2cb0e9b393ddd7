import { DarkMatterError } from "@darkmatter/core";
import type { LedgerPeers } from "@darkmatter/ledger";
import type { Mesh } from "@darkmatter/mesh";

/** Requests of one ledger to another go the ways that messages go. */
export function callsOver(mesh: () => Mesh): NonNullable<LedgerPeers["call"]> {
  return async ({ agentId }, { path, body, timeoutMs, signal }) => {
    try {
      const outcome = await mesh().call(agentId, { method: "POST", path, body, timeoutMs, signal });
      if (outcome?.kind === "answered") return { kind: "answered", ...outcome.answer };
      const error = outcome?.kind === "failed" ? outcome.error : undefined;
      return { kind: "silent", reason: error instanceof DarkMatterError ? error.code : "UNREACHABLE" };
    } catch (error) {
      if (error instanceof DarkMatterError) return { kind: "silent", reason: error.code };
      throw error;
    }
  };
}
