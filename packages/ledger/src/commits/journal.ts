import type { Journal } from "@darkmatter/store";
import { insertFields } from "../disclosures/disclosures.store.ts";
import { lockTail, placeInLog } from "../log/append.ts";
import type { LedgerPorts } from "../ports.ts";
import { createChance } from "./chance.ts";
import { contentHashesOf, rootBelow } from "./commit.ts";
import { insertCommit, lastOfTrace, writeTail } from "./commits.store.ts";
import { draftOf } from "./draft.ts";

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
      const before = await lockTail(tx);
      const parent = await lastOfTrace(tx, event.trace);
      const hashes = contentHashesOf(signer.agentId, draft, parent);
      const { position, leaf, logRoot, nodes, tail } = placeInLog(before, {
        ...draft,
        integrityHash: hashes.integrityHash,
      });
      await insertCommit(tx, {
        ...draft,
        ...hashes,
        position,
        trace: event.trace,
        parent: parent?.position ?? null,
        root: rootBelow({ position }, parent),
        leaf,
        logRoot,
        nodes,
      });
      await insertFields(tx, position, draft.fields);
      await writeTail(tx, tail);
      return hashes.integrityHash;
    },
  };
}
