import { isDamage } from "../../damage.ts";
import type { ReadableStep, Step } from "../chains/chain-step.ts";
import { serverError } from "../errors.ts";
import type { LedgerServerPorts } from "../ports.ts";

type Reporting = Pick<LedgerServerPorts, "report">;

/** A step as a file needs it: one without it would look like a shorter chain. @throws chain_unreadable */
export function readableOf(step: Step, ports: Reporting): ReadableStep {
  if (step.kind === "unreadable") throw notWhole(ports, step, "can no longer be read");
  return step;
}

/** What goes into a file beside a step, from rows of the log that belong to others. @throws chain_unreadable */
export async function provenBy<T>(step: ReadableStep, ports: Reporting, proof: Promise<T>): Promise<T> {
  try {
    return await proof;
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw notWhole(ports, step, "is no longer proven by the log");
  }
}

/** For the caller by its step; for the operator by its place in the log. */
function notWhole({ report }: Reporting, { index, id, position }: Step, what: string) {
  report("export.unreadable", { position, reason: `the commit ${what}` });
  return serverError("chain_unreadable", `Step ${index + 1} of this chain (${id}) ${what}.`);
}
