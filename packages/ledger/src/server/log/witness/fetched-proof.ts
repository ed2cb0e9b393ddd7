import { DarkMatterError, parseJson } from "@darkmatter/core";
import type { Wire } from "@darkmatter/net";
import type { SignedCheckpoint } from "@darkmatter/proof";
import { type Consistency, consistencyOf } from "./request.ts";

/** Shorter than the log waits for its witness. */
const FETCH_TIMEOUT_MS = 5000;

/** Asks the log itself for a consistency proof that it did not send along; `undefined` where it has none. */
export async function fetchConsistency(
  wire: Wire,
  logUrl: string,
  from: SignedCheckpoint,
  to: SignedCheckpoint,
): Promise<Consistency | undefined> {
  const query = new URLSearchParams({ from: from.checkpoint_id, to: to.checkpoint_id });
  try {
    const { status, body } = await wire.request({
      method: "GET",
      url: `${logUrl}/api/log/consistency?${query}`,
      timeoutMs: FETCH_TIMEOUT_MS,
      reach: "private",
    });
    return status === 200 ? consistencyOf(parseJson(new TextDecoder().decode(body)) ?? null) : undefined;
  } catch (error) {
    // A log that does not answer has not proved anything.
    if (error instanceof DarkMatterError) return undefined;
    throw error;
  }
}
