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
}

export function createImpressions({ signer, clock, journal }: MeshPorts): Impressions {
  async function save(tx: Write, about: string, score: number, note: string, before: Impression | undefined) {
    if (about === signer.agentId) throw meshError("BAD_REQUEST", "You cannot set an impression of yourself.");
    const negativeSince = score >= 0 ? null : (before?.negativeSince ?? isoTime(clock.now()));
    const impression: Impression = { about, score: clamped(score), note, negativeSince };
    await writeImpression(tx, impression);
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

    forget: deleteImpression,
  };
}
