import { fieldCommitment } from "../commitment.ts";
import type { Disclosure } from "./bundle-form.ts";
import type { Said } from "./disclosed.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

/** A disclosure, and the commit it is of: `undefined` when there is none. */
type Opened = Pick<Disclosure, "name" | "salt" | "value"> & { readonly said: Said | undefined };

export function disclosuresPhase({ bundle, said }: PhaseContext): Phase {
  const [nothing, several] = ["only a node's bundle has fields", "fields opened"];
  const tally = createTally("disclosures", "field opened", nothing, several);
  return {
    whole() {
      const byCommit = new Map(said.map((one) => [one.commit, one]));
      let before: Opened | undefined;
      for (const [order, { commit, ...disclosure }] of (bundle.node?.disclosures ?? []).entries()) {
        const opened = { ...disclosure, said: byCommit.get(commit) };
        const id = opened.said?.step.passport.id ?? commit;
        tally.judge(order, id, openingReason(opened, before));
        before = opened;
      }
      for (const { payload, disclosed } of said) {
        const names = [...(payload?.fields.keys() ?? [])];
        tally.leftOut("stay closed", names.filter((name) => !disclosed.has(name)).length);
      }
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
