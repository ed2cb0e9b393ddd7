/** What an agent may not have looked at yet. */
export interface Activity {
  readonly unread: number;
  readonly broadcasts: number;
  readonly peerShards: number;
}

export const NO_ACTIVITY: Activity = { unread: 0, broadcasts: 0, peerShards: 0 };

/** Sessions whose last look is remembered; beyond it the one longest silent starts anew. */
const SESSIONS_MAX = 1000;

/** What is there, in words: `3 unread messages | 1 network update` (mesh.md 14). */
export function activityHint({ unread, broadcasts, peerShards }: Activity): string {
  const parts = [
    counted(unread, "unread message"),
    counted(broadcasts, "network update"),
    counted(peerShards, "peer shard"),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? "No new activity" : parts.join(" | ");
}

function counted(count: number, noun: string): string | undefined {
  if (count <= 0) return undefined;
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
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
        unread: activity.unread - before.unread,
        broadcasts: activity.broadcasts - before.broadcasts,
        peerShards: activity.peerShards - before.peerShards,
      });
    },
  };
}
