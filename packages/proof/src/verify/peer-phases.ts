import { checkpointText, verifyNodeCheckpoint } from "../checkpoint.ts";
import { contradiction } from "../evidence.ts";
import type { Step } from "./bundle-form.ts";
import type { Findings, Phase, PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

/** What this log signed for its peers as their witness. */
export function witnessedPhase({ bundle: { node }, signatures }: PhaseContext): Phase {
  const tally = createTally(
    "witnessed",
    "checkpoints of peers",
    "this log signed none of its peers' checkpoints",
  );
  const logKey = node?.log.slice("mesh/".length) ?? "";
  return {
    *parts() {
      for (const [at, { agent_id, checkpoint, witness_sig }] of (node?.witnessed ?? []).entries()) {
        signatures.startOther(async (verify) => {
          const [own, theirs] = await Promise.all([
            verify(logKey, checkpointText(checkpoint), witness_sig),
            verifyNodeCheckpoint(checkpoint, agent_id, verify),
          ]);
          const reason = theirs
            ? "this log's witness signature does not hold"
            : "the checkpoint's form or its agent's signature does not hold";
          tally.judge(at, agent_id, own && theirs ? undefined : reason);
        });
        yield;
      }
    },
    report: tally.report,
  };
}

/** Two checkpoints of one log that cannot both be true. */
export function evidencePhase({ bundle: { node }, signatures }: PhaseContext): Phase {
  const tally = createTally("evidence", "split history", "it accuses nobody", "split histories");
  return {
    *parts() {
      for (const [at, { agent_id, first, second }] of (node?.evidence ?? []).entries()) {
        if (contradiction(first, second) === undefined) {
          tally.judge(at, agent_id, "both checkpoints can be true: it is no evidence");
          continue;
        }
        signatures.startOther(async (verify) => {
          const both = [first, second].map((signed) => verifyNodeCheckpoint(signed, agent_id, verify));
          const valid = (await Promise.all(both)).every(Boolean);
          tally.judge(at, agent_id, valid ? undefined : "the accused did not sign both checkpoints");
        });
        yield;
      }
    },
    report: tally.report,
  };
}

/** Whether each step's claimed level is one that the file shows. */
export function assurancePhase({ bundle, findings }: PhaseContext): Phase {
  const tally = createTally("assurance", "claimed level", "");
  return {
    report() {
      for (const [at, step] of bundle.steps.entries()) {
        tally.judge(at, step.passport.id, levelReason(step, findings));
      }
      return tally.report();
    },
  };
}

function levelReason({ passport, flat }: Step, findings: Findings): string | undefined {
  const { assurance_level: level, id } = passport;
  if (level === "L1") return undefined;
  if (level === "L2")
    return flat._proof.log_position < findings.witnessedUpTo ? undefined : "L2 without a valid witness";
  return findings.attested.has(id) ? undefined : "L3 without a valid attestation";
}
