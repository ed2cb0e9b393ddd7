import {
  checkpointText,
  isNamedAfter,
  keyOfPem,
  type SignedCheckpoint,
  verifyCheckpoint,
  verifyConsistency,
} from "@darkmatter/proof";
import { secondsTime } from "../../../times.ts";
import { fetchConsistency } from "./fetched-proof.ts";
import type { SignRequest } from "./request.ts";
import type { SignedFile, SignedLine } from "./signed-file.ts";
import type { WitnessServerPorts } from "./witness-server.ts";

export type SigningRefusal =
  | "wrong_log"
  | "signature_invalid"
  | "not_newer"
  | "consistency_needed"
  | "inconsistent";

/** `last` is what was signed before. */
export type SigningVerdict =
  | { readonly kind: "signed"; readonly line: SignedLine; readonly isAgain: boolean }
  | { readonly kind: "refused"; readonly code: SigningRefusal; readonly last: SignedLine | undefined };

/** Signing for one log, one request after another. */
export interface Signing {
  readonly last: SignedLine | undefined;
  readonly count: number;
  /** What it signed is on disk when this resolves. */
  sign(request: SignRequest): Promise<SigningVerdict>;
  /** Resolves once nothing is under way. */
  idle(): Promise<void>;
}

export function createSigning(ports: WitnessServerPorts, file: SignedFile): Signing {
  const { clock, signer, verifier, logKeys, logUrl, wire, report } = ports;
  let queue: Promise<unknown> = Promise.resolve();
  const refused = (code: SigningRefusal): SigningVerdict => ({ kind: "refused", code, last: file.last });

  async function isOfLog(checkpoint: SignedCheckpoint): Promise<boolean> {
    // The signature would pass for one under a checkpoint of the witness's own log, if its key had one.
    if (isNamedAfter(checkpoint, signer.agentId)) return false;
    for (const key of logKeys) if (await verifyCheckpoint(checkpoint, key, verifier.verify)) return true;
    return false;
  }

  async function decide({ checkpoint, consistency: sent, logKeyPem }: SignRequest): Promise<SigningVerdict> {
    if (logKeyPem !== undefined && !isPinned(logKeyPem)) return refused("wrong_log");
    if (!(await isOfLog(checkpoint))) return refused("signature_invalid");
    const last = file.last;
    if (last) {
      const { checkpoint: before } = last;
      if (checkpointText(before) === checkpointText(checkpoint))
        return { kind: "signed", line: last, isAgain: true };
      if (checkpoint.log_position <= before.log_position) return refusedOlder(checkpoint, before);
      if (checkpoint.timestamp < before.timestamp) return refused("inconsistent");
      const given =
        sent?.firstSize === before.tree_size || logUrl === undefined
          ? sent
          : await fetchConsistency(wire, logUrl, before, checkpoint);
      if (given?.firstSize !== before.tree_size) return refused("consistency_needed");
      if (!follows(before, checkpoint, given.proof)) {
        report("witness.inconsistent", { checkpoint: checkpoint.checkpoint_id, size: checkpoint.tree_size });
        return refused("inconsistent");
      }
    }
    const line = {
      checkpoint,
      witnessSig: signer.sign(checkpointText(checkpoint)),
      witnessedAt: secondsTime(clock.now()),
    };
    await file.append(line);
    return { kind: "signed", line, isAgain: false };
  }

  /** Of one size there is one tree: another one, signed by the log's key, is proof of two histories. */
  function refusedOlder(checkpoint: SignedCheckpoint, before: SignedCheckpoint): SigningVerdict {
    const isSplit = checkpoint.tree_size === before.tree_size && checkpoint.tree_root !== before.tree_root;
    if (isSplit)
      report("witness.split_history", { checkpoint: checkpoint.checkpoint_id, size: checkpoint.tree_size });
    return refused("not_newer");
  }

  const isPinned = (pem: string) => {
    const key = keyOfPem(`${pem.replaceAll("\r", "").trim()}\n`);
    return key !== undefined && logKeys.includes(key);
  };

  return {
    get last() {
      return file.last;
    },
    get count() {
      return file.count;
    },
    sign(request) {
      const verdict = queue.then(() => decide(request));
      queue = verdict.catch(() => undefined);
      return verdict;
    },
    async idle() {
      await queue;
    },
  };
}

function follows(before: SignedCheckpoint, next: SignedCheckpoint, proof: readonly string[]): boolean {
  return verifyConsistency({
    firstSize: before.tree_size,
    firstRoot: before.tree_root,
    secondSize: next.tree_size,
    secondRoot: next.tree_root,
    proof,
  });
}
