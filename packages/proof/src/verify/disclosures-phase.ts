import { fieldCommitment } from "../commitment.ts";
import type { Opened } from "./disclosed.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

export function disclosuresPhase({ said, opened: all }: PhaseContext): Phase {
  const tally = createTally(
    "disclosures",
    "field opened",
    "only a node's bundle has fields",
    "fields opened",
  );
  return {
    whole() {
      let before: Opened | undefined;
      for (const opened of all) {
        tally.judge(
          opened.order,
          opened.said?.step.passport.id ?? opened.commit,
          openingReason(opened, before),
        );
        before = opened;
      }
      const closed = said.flatMap(({ payload, disclosed }) =>
        [...(payload?.fields.keys() ?? [])].filter((name) => !disclosed.has(name)),
      );
      tally.leftOut("stay closed", closed.length);
    },
    report: tally.report,
  };
}

function openingReason({ said, name, salt, value }: Opened, before: Opened | undefined): string | undefined {
  if (!said) return "no commit of this bundle has the hash that a disclosure names";
  return firstReason(
    [
      said.payload?.fields.get(name) === fieldCommitment({ salt, name, value }),
      `the disclosed ${JSON.stringify(name)} is not what was committed to`,
    ],
    [!before || isLater({ said, name }, before), "disclosures are repeated or out of order"],
  );
}

/** In the order of commits, then of names by code point. */
function isLater({ said, name }: Pick<Opened, "said" | "name">, before: Opened): boolean {
  const [at, atBefore] = [said?.at ?? -1, before.said?.at ?? -1];
  if (at !== atBefore) return at > atBefore;
  const [points, pointsBefore] = [[...name], [...before.name]];
  const first = points.findIndex((point, index) => point !== pointsBefore[index]);
  if (first < 0) return false;
  const other = pointsBefore[first];
  return other === undefined || (points[first]?.codePointAt(0) ?? 0) > (other.codePointAt(0) ?? 0);
}
