import type { Signer, Verifier } from "@darkmatter/identity";
import { checkpointError } from "./errors.ts";

const TRIAL_TEXT = "darkmatter.checkpoint.self-test";

/** Signs and verifies once before anything depends on it (ledger.md 8, 10). @throws LOG_KEY_BROKEN */
export async function tryLogKey(ports: {
  readonly signer: Signer;
  readonly verifier: Verifier;
}): Promise<void> {
  const { signer, verifier } = ports;
  const holds = await verifier.verify(signer.agentId, TRIAL_TEXT, signer.sign(TRIAL_TEXT));
  if (!holds) throw checkpointError("LOG_KEY_BROKEN");
}
