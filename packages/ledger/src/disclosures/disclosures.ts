import type { Clock } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import type { Field } from "../commits/commit.ts";
import { commits } from "../commits/commits.ts";
import { ledgerError } from "../errors.ts";
import { type Erasure, erasuresOf, fieldsOf, insertErasure, replaceFields } from "./disclosures.store.ts";

export type { Erasure } from "./disclosures.store.ts";

/** The values behind the commitments of this node's commits: shown to whom its owner likes, or erased for ever. */
export interface Disclosures {
  /** Of the commit at a position, by name; the erased are left out. */
  fieldsOf(read: Read, position: number): Promise<Field[]>;
  /** Of the commit at a position, by name: what was erased, and when. */
  erasuresOf(read: Read, position: number): Promise<Erasure[]>;
  /**
   * Erases fields of a commit, values and salts; the names of those erased. The chain stays whole: it holds only the
   * commitments, which nobody can open any more. Call `db.purge()` after the COMMIT, so that no copy stays in the files.
   *
   * @throws NO_SUCH_COMMIT; NO_SUCH_FIELD for a name that is not there or erased already
   */
  erase(tx: Write, commitId: string, names: readonly string[] | "all"): Promise<string[]>;
}

/** Two that erase at once would each write back what the other erased. */
const ERASE_LOCK = "ledger.erase";

export function createDisclosures({ clock }: { readonly clock: Clock }): Disclosures {
  return {
    fieldsOf,
    erasuresOf,

    async erase(tx, commitId, names) {
      const commit = await commits.find(tx, commitId);
      await tx.lock(ERASE_LOCK);
      const fields = await fieldsOf(tx, commit.position);
      const doomed = names === "all" ? fields.map(({ name }) => name) : [...new Set(names)];
      if (doomed.some((name) => fields.every((field) => field.name !== name)))
        throw ledgerError("NO_SUCH_FIELD");
      const kept = fields.filter(({ name }) => !doomed.includes(name));
      await replaceFields(tx, commit.position, kept);
      const erasedMs = Math.floor(clock.now());
      for (const name of doomed) await insertErasure(tx, commit.position, { name, erasedMs });
      return doomed;
    },
  };
}
