/** What an agent may not have looked at yet. */
export interface Activity {
  /** Messages nobody has read, and how many ever arrived: what another session read meanwhile hides no news. */
  readonly unread: number;
  readonly arrived: number;
  /** What became of messages the agent sent: notes it was not shown yet, and how many there ever were. */
  readonly notes: number;
  readonly notesEver: number;
  readonly broadcasts: number;
  /** Kept now, and ever taken: those that were replaced or dropped meanwhile are no news. */
  readonly peerShards: number;
  readonly shardsTaken: number;
}

export const NO_ACTIVITY: Activity = {
  unread: 0,
  arrived: 0,
  notes: 0,
  notesEver: 0,
  broadcasts: 0,
  peerShards: 0,
  shardsTaken: 0,
};

/** Sessions whose last look is remembered; beyond it the one longest silent starts anew. */
const SESSIONS_MAX = 1000;

/** What is there, in words: `3 unread messages | 1 network update` (mesh.md 14). */
export function activityHint({
  unread,
  notes,
  broadcasts,
  peerShards,
}: Pick<Activity, "unread" | "notes" | "broadcasts" | "peerShards">): string {
  const parts = [
    counted(unread, "unread message"),
    counted(notes, "note about a message you sent", "notes about messages you sent"),
    counted(broadcasts, "network update"),
    counted(peerShards, "peer shard"),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? "No new activity" : parts.join(" | ");
}

function counted(count: number, noun: string, nouns = `${noun}s`): string | undefined {
  if (count <= 0) return undefined;
  return `${count} ${count === 1 ? noun : nouns}`;
}

/** Tells each session only what is new since it last looked. */
export function createHints(): { next(session: string, activity: Activity): string } {
  const looks = new Map<string, Activity>();

  return {
    next(session, activity) {
      const before = looks.get(session) ?? NO_ACTIVITY;
      looks.delete(session);
      looks.set(session, activity);
      if (looks.size > SESSIONS_MAX) looks.delete(looks.keys().next().value ?? "");
      return activityHint({
        unread: Math.min(activity.unread, activity.arrived - before.arrived),
        notes: Math.min(activity.notes, activity.notesEver - before.notesEver),
        broadcasts: activity.broadcasts - before.broadcasts,
        peerShards: Math.min(activity.peerShards, activity.shardsTaken - before.shardsTaken),
      });
    },
  };
}
