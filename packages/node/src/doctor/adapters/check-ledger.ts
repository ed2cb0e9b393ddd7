import { type DarkMatterError, hasCode, reasonOf } from "@darkmatter/core";
import type { MirrorState } from "@darkmatter/ledger";
import type { Read } from "@darkmatter/store";
import type { Layer } from "../../assembly.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

/** The latest commits, each hash computed again; what others hold that is not here; who showed two histories. */
export async function checkLedger(db: Read, { ledger }: Layer, { command }: Typing): Promise<Finding[]> {
  if (!ledger) return [];
  try {
    const { commits, newer, evidence, mirror } = await ledger.state(db);
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
    const copied = mirror ? [mirrorFinding(commits, mirror)] : [];
    return [
      ...(findings.length > 0 ? findings : [ok("ledger", `${commits} commits, the latest sound`)]),
      ...copied,
    ];
  } catch (error) {
    if (!hasCode(error, "LEDGER_DAMAGED")) throw error;
    return [fail("ledger", reasonOf(error), (error as DarkMatterError).hint)];
  }
}

/** What is behind without trouble catches up by itself: a server may take two a second. */
function mirrorFinding(commits: number, { url, next, trouble }: MirrorState): Finding {
  const how = `${next} of ${commits} commits are at ${url}`;
  if (trouble !== null) return warn("mirror", `${how}; ${trouble}`, fixOf(trouble));
  return ok("mirror", next < commits ? `${how}; the rest follows while the node runs` : how);
}

/** By the code a trouble begins with. */
function fixOf(trouble: string): string {
  const fix = Object.entries(MIRROR_FIXES).find(([code]) => trouble.startsWith(code))?.[1];
  return (
    fix ?? "Check that the server runs and that DARKMATTER_LEDGER_URL is its address; the node tries again."
  );
}

const MIRROR_FIXES = {
  MIRROR_KEY_REFUSED:
    "Set DARKMATTER_API_KEY to a key of that server which was not replaced, and start the node again.",
  MIRROR_KEY_TAKEN:
    "Give this node an agent of its own at the server, and set DARKMATTER_API_KEY to its key.",
  MIRROR_DIFFERS: "Do not trust that server's record: it changed what it was sent. Ask its operator.",
  MIRROR_UNSOUND: "Look for the damage with darkmatter fsck.",
  MIRROR_NO_LEDGER: "Set DARKMATTER_LEDGER_URL to the address of a ledger server.",
};

const EVIDENCE_SHOWN_MAX = 5;
const LOOKED_AT = 100;

async function firstBad(db: Read, ledger: NonNullable<Layer["ledger"]>): Promise<string | undefined> {
  for (const commit of await ledger.commits.recent(db, LOOKED_AT)) {
    const problems = await ledger.checkCommit(db, commit);
    if (problems.length > 0) return commit.id;
  }
  return undefined;
}
