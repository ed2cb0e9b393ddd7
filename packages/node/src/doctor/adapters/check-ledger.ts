import { type DarkMatterError, hasCode, reasonOf } from "@darkmatter/core";
import type { Read } from "@darkmatter/store";
import type { Layer } from "../../assembly.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

/** The latest commits, each hash computed again; what others hold that is not here; who showed two histories. */
export async function checkLedger(db: Read, { ledger }: Layer, { command }: Typing): Promise<Finding[]> {
  if (!ledger) return [];
  try {
    const { commits, newer, evidence } = await ledger.state(db);
    const bad = await firstBad(db, ledger);
    const findings: Finding[] = [];
    if (bad) findings.push(fail("ledger", `commit ${bad} is not what it was`, command("fsck")));
    if (newer)
      findings.push(
        fail(
          "ledger",
          `older than what others hold of it: ${newer.tree_size} commits, signed ${newer.timestamp}`,
          "Stop the node, and put the newer state folder back. If it is lost, begin with a new passport to be witnessed again.",
        ),
      );
    for (const { agentId } of evidence.slice(0, EVIDENCE_SHOWN_MAX))
      findings.push(
        warn("ledger", `${agentId} signed two logs that cannot both be true`, command(`block ${agentId}`)),
      );
    return findings.length > 0 ? findings : [ok("ledger", `${commits} commits, the latest sound`)];
  } catch (error) {
    if (!hasCode(error, "LEDGER_DAMAGED")) throw error;
    return [fail("ledger", reasonOf(error), (error as DarkMatterError).hint)];
  }
}

const EVIDENCE_SHOWN_MAX = 5;
const LOOKED_AT = 100;

async function firstBad(db: Read, ledger: NonNullable<Layer["ledger"]>): Promise<string | undefined> {
  for (const commit of await ledger.commits.recent(db, LOOKED_AT)) {
    const problems = await ledger.checkCommit(db, commit);
    if (problems.length > 0) return commit.id;
  }
  return undefined;
}
