import type { Journal } from "@darkmatter/store";
import { insertFields } from "../disclosures/disclosures.store.ts";
import type { LedgerPorts } from "../ports.ts";
import { createChance } from "./chance.ts";
import { hashesOf, rootBelow } from "./commit.ts";
import { insertCommit, lastOfTrace, readTail, writeTail } from "./commits.store.ts";
import { draftOf } from "./draft.ts";
import { tailAfter } from "./tail.ts";

/** What is locked while a commit is appended: positions and the log root leave no room for two at once. */
const APPEND_LOCK = "ledger";

/**
 * The journal whose entries are commits: hashed, chained by their trace and put into the tree, in the act's own
 * transaction. All it goes by lies in the database, so that a body that is undone or run again leaves nothing behind.
 *
 * @param beforeAppend refuses, by throwing, what must not grow any more
 */
export function createLedgerJournal(
  { clock, random, signer }: Pick<LedgerPorts, "clock" | "random" | "signer">,
  beforeAppend: () => void = () => {},
): Journal {
  const chance = createChance(random);
  return {
    async append(tx, event) {
      beforeAppend();
      const draft = draftOf(event, Math.floor(clock.now()), chance, tx.actor);
      await tx.lock(APPEND_LOCK);
      const before = await readTail(tx);
      const parent = await lastOfTrace(tx, event.trace);
      const position = before.size;
      const hashes = hashesOf(signer.agentId, { ...draft, position }, parent);
      const { tail, nodes } = tailAfter(before, hashes);
      const { trace } = event;
      const { logRoot } = tail;
      await insertCommit(tx, {
        ...draft,
        ...hashes,
        position,
        trace,
        parent: parent?.position ?? null,
        root: rootBelow({ position }, parent),
        logRoot,
        nodes,
      });
      await insertFields(tx, position, draft.fields);
      await writeTail(tx, tail);
      return hashes.integrityHash;
    },
  };
}
