import { cutCodePoints, isoTime } from "@darkmatter/core";
import type { Read, Write } from "@darkmatter/store";
import { meshError } from "../errors.ts";
import type { MeshPorts } from "../ports.ts";
import { adjusted, clamped, IMPRESSION_NOTE_CODE_POINTS_MAX, type Impression } from "./impression.ts";
import { deleteImpression, readImpression, readImpressions, writeImpression } from "./impressions.store.ts";

/** What this agent thinks of others. */
export interface Impressions {
  of(tx: Read, about: string): Promise<Impression | undefined>;
  /** The score, or 0 for an agent we have no opinion of. */
  scoreOf(tx: Read, about: string): Promise<number>;
  all(tx: Read): Promise<Impression[]>;
  /** Replaces score and note. Opinions of ourselves are refused. */
  set(
    tx: Write,
    about: string,
    score: number,
    note: string,
  ): Promise<{ impression: Impression; created: boolean }>;
  /** Moves the score after something happened; unknown agents start at 0. */
  nudge(tx: Write, about: string, change: number): Promise<void>;
  /** Whether there was one. */
  forget(tx: Write, about: string): Promise<boolean>;
  /** Calls `listener` for each score that rose, after the commit. An agent without an opinion counts as 0. */
  onRise(listener: (rise: Rise) => void): void;
}

export interface Rise {
  readonly about: string;
  readonly from: number;
  readonly to: number;
}

export function createImpressions({
  signer,
  clock,
  journal,
}: Pick<MeshPorts, "signer" | "clock" | "journal">): Impressions {
  const risen: Array<(rise: Rise) => void> = [];

  function moved(tx: Write, rise: Rise): void {
    if (rise.to <= rise.from) return;
    tx.afterCommit(() => {
      for (const listener of risen) listener(rise);
    });
  }

  async function save(tx: Write, about: string, score: number, note: string, before: Impression | undefined) {
    if (about === signer.agentId) throw meshError("BAD_REQUEST", "You cannot set an impression of yourself.");
    const negativeSince = score >= 0 ? null : (before?.negativeSince ?? isoTime(clock.now()));
    const impression: Impression = { about, score: clamped(score), note, negativeSince };
    await writeImpression(tx, impression);
    moved(tx, { about, from: before?.score ?? 0, to: impression.score });
    return impression;
  }

  return {
    of: readImpression,
    all: readImpressions,

    async scoreOf(tx, about) {
      return (await readImpression(tx, about))?.score ?? 0;
    },

    async set(tx, about, score, note) {
      const before = await readImpression(tx, about);
      const kept = cutCodePoints(note, IMPRESSION_NOTE_CODE_POINTS_MAX);
      const impression = await save(tx, about, score, kept, before);
      await journal.append(tx, {
        act: "impression.set",
        trace: about,
        peer: about,
        fields: { score, note: kept },
      });
      return { impression, created: before === undefined };
    },

    async nudge(tx, about, change) {
      const before = await readImpression(tx, about);
      await save(tx, about, adjusted(before?.score ?? 0, change), before?.note ?? "", before);
    },

    async forget(tx, about) {
      const before = await readImpression(tx, about);
      moved(tx, { about, from: before?.score ?? 0, to: 0 });
      return deleteImpression(tx, about);
    },

    onRise: (listener) => void risen.push(listener),
  };
}
