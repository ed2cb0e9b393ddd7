// Runs plans that its parent sends, one at a time, and answers with what became of each.
import type { Plan } from "../plan.ts";
import { simulate } from "../simulate.ts";

process.on("message", (plan: Plan) => {
  void simulate(plan).then((outcome) => process.send?.(outcome));
});
// Its parent may end without a word.
process.once("disconnect", () => process.exit());
