import { spkiPem } from "@darkmatter/proof";
import { mirrorError } from "./errors.ts";
import { PASSPORT_KEY_ID } from "./mirrored-commit.ts";
import type { ServerCalls } from "./server-calls.ts";

/**
 * Asks who the API key belongs to, and makes the passport one of that agent's keys. Its id.
 * @throws MIRROR_NO_LEDGER, MIRROR_KEY_TAKEN
 */
export async function introduce(calls: ServerCalls, passport: string): Promise<string> {
  const { agentId } = await calls.get("/api/me");
  if (typeof agentId !== "string" || !/^dm_[0-9a-f]{16}$/.test(agentId))
    throw mirrorError("MIRROR_NO_LEDGER");
  const { keys } = await calls.get("/api/agents/keys");
  const own = (Array.isArray(keys) ? keys : []).map(
    (key) => ({ ...(key as object) }) as Record<string, unknown>,
  );
  const known = own.find((key) => key.key_id === PASSPORT_KEY_ID);
  const publicKey = spkiPem(passport);
  if (!known) {
    await calls.post("/api/agents/keys", JSON.stringify({ publicKey, keyId: PASSPORT_KEY_ID }));
  } else if (String(known.public_key_pem).trim() !== publicKey.trim() || known.status !== "active") {
    throw mirrorError("MIRROR_KEY_TAKEN");
  }
  return agentId;
}
