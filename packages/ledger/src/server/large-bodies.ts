import { DarkMatterError, reasonOf } from "@darkmatter/core";
import type { AdmitLarge, LargeBody } from "@darkmatter/surface";
import { agentOfKey } from "./callers.ts";
import { serverError, unauthorized } from "./errors.ts";
import type { LedgerServerPorts } from "./ports.ts";
import { refusalOf } from "./refusal.ts";

/** Bytes of large bodies that are held at once: those that arrive, and those that wait for their turn. */
const HELD_MAX = 256_000_000;
/** Of one account's: nobody keeps all others away. */
const HELD_BY_ONE_MAX = 64_000_000;
const RETRY_AFTER = { "retry-after": "2" };
const COMMITS = /^\/api\/(commit|fork\/[^/]+)$/;

/** Who may send a body that fills memory: whoever has a key, to what takes such bodies, a few at a time. */
export function largeBodies({
  db,
  random,
  report,
}: Pick<LedgerServerPorts, "db" | "random" | "report">): AdmitLarge {
  const refused = (error: DarkMatterError): LargeBody => {
    const { headers, ...refusal } = refusalOf(error, random);
    const answer = { ...refusal, headers: { ...headers, ...(error.retryable && RETRY_AFTER) } };
    return { kind: "refused", answer };
  };
  const heldBy = new Map<number, number>();
  let held = 0;

  function hold(account: number, bytes: number): LargeBody {
    const own = heldBy.get(account) ?? 0;
    if (held + bytes > HELD_MAX || own + bytes > HELD_BY_ONE_MAX)
      return refused(serverError("busy", "More large commits arrive than this server can hold."));
    let isHeld = true;
    held += bytes;
    heldBy.set(account, own + bytes);
    return {
      kind: "admitted",
      release() {
        if (!isHeld) return;
        isHeld = false;
        held -= bytes;
        const left = (heldBy.get(account) ?? 0) - bytes;
        if (left > 0) heldBy.set(account, left);
        else heldBy.delete(account);
      },
    };
  }

  return async (head, bytes) => {
    if (head.method !== "POST" || !COMMITS.test(head.path))
      return refused(serverError("payload_too_large", "The body is larger than this route takes."));
    try {
      const agent = await agentOfKey(db, head);
      return agent ? hold(agent.account, bytes) : refused(unauthorized("key"));
    } catch (error) {
      // No route is reached that would say it: the database is gone, as a rule.
      if (!(error instanceof DarkMatterError)) throw error;
      report("large_body.failed", { method: head.method, reason: reasonOf(error) });
      return refused(error);
    }
  };
}
