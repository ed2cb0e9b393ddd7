import type { VerifySignature } from "../signatures.ts";

/** Enough to keep a thread pool busy while the next steps are hashed. */
const IN_FLIGHT_MAX = 256;

/** Signature checks that go on while the caller hashes. */
export interface SignatureChecks {
  /** Starts a check; `settle` hears its outcome once. */
  start(publicKeyHex: string, text: string, signatureHex: string, settle: (valid: boolean) => void): void;
  /** Starts a check of several parts. Should it reject, it counts as settled. */
  startOther(check: (verify: VerifySignature) => Promise<void>): void;
  /** Resolves once others may be started; `undefined` when they may at once. */
  room(): Promise<void> | undefined;
  /** Resolves once every outcome is known. */
  settled(): Promise<void>;
}

export function createSignatureChecks(verify: VerifySignature): SignatureChecks {
  let inFlight = 0;
  let waiting: { readonly until: number; readonly wake: () => void } | undefined;

  /** A port that breaks its promise and rejects has verified nothing. */
  const safely: VerifySignature = async (...claim) => {
    try {
      return await verify(...claim);
    } catch {
      return false;
    }
  };

  async function follow(check: Promise<void>): Promise<void> {
    inFlight++;
    try {
      await check;
    } finally {
      inFlight--;
      if (waiting && inFlight <= waiting.until) {
        waiting.wake();
        waiting = undefined;
      }
    }
  }

  function downTo(until: number): Promise<void> {
    if (inFlight <= until) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting = { until, wake: resolve };
    return promise;
  }

  const startOther: SignatureChecks["startOther"] = (check) => void follow(check(safely));
  return {
    startOther,
    start(publicKeyHex, text, signatureHex, settle) {
      startOther(async (verified) => settle(await verified(publicKeyHex, text, signatureHex)));
    },
    // Half of the places, so that the caller does not wake for each one.
    room: () => (inFlight < IN_FLIGHT_MAX ? undefined : downTo(IN_FLIGHT_MAX / 2)),
    settled: () => downTo(0),
  };
}
