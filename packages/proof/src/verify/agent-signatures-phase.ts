import { canon1 } from "@darkmatter/core";
import { delegateReason } from "./delegates.ts";
import type { Phase, PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

/** The agent's signature over each commit, and beside it that of whoever acted in its place. */
export function agentSignaturesPhase({ bundle: { node }, said, signatures }: PhaseContext): Phase {
  const tally = createTally("agent_signatures", "signature", "no commit is signed by its agent");
  const logKey = node?.log.slice("mesh/".length);
  return {
    step({ passport, flat }, at) {
      const { id, integrity_v2 } = passport;
      const { agent_public_key: key, agent_signature: signature } = flat;
      if (signature === undefined && !node) return tally.leftOut("unsigned");
      if (signature === undefined || key === undefined)
        return tally.judge(at, id, "signature or key is missing");
      if (node && key !== logKey) return tally.judge(at, id, "signed by another key than the log's");
      signatures.startOther(async (verify) => {
        const valid = await verify(key, canon1(integrity_v2.envelope), signature);
        const reason =
          valid && node ? await delegateReason(passport, flat.timestamp, said, key, verify) : undefined;
        tally.judge(at, id, valid ? reason : "the agent's signature does not hold");
      });
    },
    report: tally.report,
  };
}
