import { MINUTE_MS } from "@darkmatter/core";
import type { Plan } from "./plan.ts";

/** Whether a smaller plan still goes wrong in the same way. */
type StillFails = (plan: Plan) => Promise<boolean>;

/** Runs spent on making one plan smaller. */
const RUNS_MAX = 60;
const NODES_MIN = 2;

/** Removes from a plan that goes wrong whatever it goes wrong without: actors, faults, nodes, minutes. */
export async function shrink(plan: Plan, stillFails: StillFails): Promise<Plan> {
  let best = plan;
  let runs = 0;

  async function attempt(smaller: Plan): Promise<boolean> {
    if (runs >= RUNS_MAX) return false;
    runs++;
    const fails = await stillFails(smaller);
    if (fails) best = smaller;
    return fails;
  }

  await attempt({ ...best, hostile: false });
  if (best.routers) await attempt({ ...best, routers: false });
  if (best.faults.length > 0 && !(await attempt({ ...best, faults: [] }))) await fewerFaults();
  await fewerNodes();
  await shorter();
  return best;

  /** Halves, then quarters, then one at a time. */
  async function fewerFaults(): Promise<void> {
    for (let size = Math.ceil(best.faults.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
      for (let from = 0; from < best.faults.length && runs < RUNS_MAX; ) {
        const faults = best.faults.toSpliced(from, size);
        if (!(await attempt({ ...best, faults }))) from += size;
      }
    }
  }

  async function fewerNodes(): Promise<void> {
    for (let nodes = best.nodes - 1; nodes >= NODES_MIN; nodes--) {
      const faults = best.faults.filter(
        (fault) => !("node" in fault && fault.node >= nodes) && !("other" in fault && fault.other >= nodes),
      );
      if (!(await attempt({ ...best, nodes, faults }))) return;
    }
  }

  async function shorter(): Promise<void> {
    const last = Math.max(0, ...best.faults.map(({ at }) => at));
    const minutes = Math.ceil(last / MINUTE_MS) + 1;
    if (minutes < best.minutes) await attempt({ ...best, minutes });
  }
}

/** Problems are of one kind when they begin alike: `lost`, `acted twice`, `not healed`, … */
export const kindOf = (problem: string): string => problem.split(":", 1)[0] ?? "";
