import type { StoredCommit } from "../commits/commit.ts";
import { idsAt } from "../commits/commits.store.ts";
import { readCommits, UNREADABLE_ROW } from "../commits/read-commits.ts";
import { createPace } from "../pace.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { readStanding } from "./assurance.ts";
import { createClientProofs } from "./client-proofs.ts";
import { findingsOf } from "./findings.ts";
import { passportIn, unreadableRow } from "./views.ts";

/** A commit as lists show it: looked at again for this answer. */
export interface ListedCommit {
  readonly kind: "readable";
  readonly commit: StoredCommit;
  readonly passport: ReturnType<typeof passportIn>;
}

/** A commit whose row can no longer be read as one: that it is there, and why it is not shown. */
export interface UnreadableCommit {
  readonly kind: "unreadable";
  readonly passport: { readonly id: string; readonly payload: null } & ReturnType<typeof unreadableRow>;
}

/** Commits that are read together. */
const READ_AT_ONCE = 64;

/** The commits at these positions, in their order. Other work has its turn in between. */
export async function listCommits(
  ports: Pick<LedgerServerPorts, "db" | "clock" | "verifier" | "config">,
  positions: readonly number[],
): Promise<(ListedCommit | UnreadableCommit)[]> {
  const { db, clock } = ports;
  const pace = createPace(ports);
  const around = {
    baseUrl: ports.config.baseUrl,
    nowMs: clock.now(),
    standing: await readStanding(db),
  };
  const proofs = createClientProofs(db, ports.verifier);
  const listed: (ListedCommit | UnreadableCommit)[] = [];
  for (let from = 0; from < positions.length; from += READ_AT_ONCE) {
    const page = positions.slice(from, from + READ_AT_ONCE);
    const commits = await readCommits(db, page);
    const damaged = await idsAt(
      db,
      page.filter((position) => !commits.has(position)),
    );
    for (const position of page) {
      const commit = commits.get(position);
      const id = damaged.get(position);
      if (commit) {
        const passport = passportIn(commit, await findingsOf(commit, proofs), around);
        listed.push({ kind: "readable", commit, passport });
      } else if (id !== undefined) {
        const row = { position, fault: { reason: UNREADABLE_ROW, isOwn: true } };
        listed.push({ kind: "unreadable", passport: { id, payload: null, ...unreadableRow(row, around) } });
      }
      await pace(commit?.payload?.length ?? 0);
    }
    await clock.turn();
  }
  return listed;
}
