import { hasCode, type JsonObject } from "@darkmatter/core";
import type { ExportedBundle } from "@darkmatter/ledger";
import type { OwningOptions } from "../adapters/owning.ts";
import { look, visit } from "../adapters/visit.ts";
import { nodeError } from "../errors.ts";
import { commitNamed } from "./commit-naming.ts";
import { type LedgerLook, ledgerOf } from "./ledger-look.ts";

/** The names of fields that are shown as far as they are held, beside `signed` and `receipt`. */
export type Disclosed = readonly string[] | "all";

export interface BundleRequest {
  /** As `commitNamed` takes it. */
  readonly commit: string;
  readonly disclose: Disclosed;
  readonly bare: boolean;
}

/** A bundle, and where it comes from. */
export interface MadeBundle extends ExportedBundle {
  readonly ctxId: string;
  readonly trace: string;
}

/**
 * One conversation as a bundle, made and signed in this process. Where no witnessed checkpoint covers it yet, the
 * owner of the state is asked to sign one first.
 * @throws COMMIT_UNKNOWN, FIELD_UNKNOWN for a name that no commit of it holds, LEDGER_DAMAGED, BUNDLE_TOO_LARGE
 */
export async function makeBundle(
  options: OwningOptions & { readonly signal: AbortSignal },
  request: BundleRequest,
): Promise<MadeBundle> {
  const looked = () => look(options, ({ db, layer }) => bundleOf({ db, ledger: ledgerOf(layer) }, request));
  const made = await looked();
  if (made !== undefined && made.witnesses > 0) return made;
  try {
    await visit(options, "act", ({ call }) => call("darkmatter_ledger_checkpoint"));
  } catch (error) {
    // What was signed before can be shown, also where nothing more is signed: on a damaged ledger, for one.
    if (made === undefined || options.signal.aborted) throw error;
    return made;
  }
  const again = await looked();
  if (again === undefined) throw nodeError("NODE_FAILED", "The node signed no checkpoint of the commit.");
  return again;
}

/** `undefined` when nothing signed covers the commit yet. */
async function bundleOf(look: LedgerLook, request: BundleRequest): Promise<MadeBundle | undefined> {
  const { commit, disclose, bare } = request;
  const tip = await commitNamed(look, commit);
  const isShown = (name: string) => disclose === "all" || disclose.includes(name);
  try {
    const bundle = await look.ledger.exportBundle(look.db, { tip: tip.id, disclose: isShown, bare });
    requireShown(bundle, disclose);
    return { ...bundle, ctxId: tip.id, trace: tip.trace };
  } catch (error) {
    if (hasCode(error, "CHECKPOINT_NEEDED")) return undefined;
    throw error;
  }
}

/** A name mistyped must not be left out in silence: it may be what was to be proven. */
function requireShown({ open, closed }: ExportedBundle, disclose: Disclosed): void {
  const missing = disclose === "all" ? [] : disclose.filter((name) => open[name] === undefined);
  if (missing.length === 0) return;
  const there = [...new Set([...Object.keys(open), ...Object.keys(closed)])].sort().join(", ");
  throw nodeError(
    "FIELD_UNKNOWN",
    `Not held in this conversation: ${missing.join(", ")}. Its fields: ${there}.`,
  );
}

/** `content ×2, signed ×2`; `nothing` for none. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1));
  return parts.length === 0 ? "nothing" : parts.map(([name, count]) => `${name} ×${count}`).join(", ");
}

/** The same for a program. */
export function madeJson(made: MadeBundle): JsonObject {
  return {
    commit: made.ctxId,
    trace: made.trace,
    export_id: made.exportId,
    steps: made.steps,
    export_hash: made.exportHash,
    tip_hash: made.tipHash,
    checkpoint_id: made.checkpointId,
    checkpoint_size: made.checkpointSize,
    witnesses: made.witnesses,
    disclosed: { ...made.open },
    closed: { ...made.closed },
  };
}
