import { type ExactJson, type ExactObject, isExactObject } from "@darkmatter/core";

const CTX_ID = /^ctx_[0-9]+_[0-9a-f]{8,12}$/;
const REASON_MAX = 200;

/**
 * What the first step that a file itself calls broken is, and why, by what it says; empty where it calls none so. An
 * export of a chain that does not verify says so of the whole (`chain_intact`), and of each such step in its passport.
 */
export function saidBroken(top: ExactObject): string {
  const chain = top.get("chain");
  for (const passport of Array.isArray(chain) ? chain : []) {
    const [id, integrity] = [memberOf(passport, "id"), memberOf(passport, "integrity")];
    if (memberOf(integrity, "verification_status") !== "broken") continue;
    const reason = memberOf(integrity, "verification_reason");
    const why = typeof reason === "string" ? ` (${reason.slice(0, REASON_MAX)})` : "";
    return typeof id === "string" && CTX_ID.test(id) ? `: the file calls ${id} broken${why}` : "";
  }
  return "";
}

const memberOf = (value: ExactJson | undefined, name: string): ExactJson | undefined =>
  value !== undefined && isExactObject(value) ? value.get(name) : undefined;
