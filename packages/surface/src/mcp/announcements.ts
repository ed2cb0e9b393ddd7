import type { ToolTable } from "../tool.ts";
import type { ToolSession } from "./tool-session.ts";

export interface Announcements extends Disposable {
  /** After something only this session did: calling a hidden tool shows it. */
  compare(): void;
}

/**
 * Tells one session when its list of tools has changed, and only then. A session that cannot be told is let go
 * without a word: its client went away, and what carries it will notice too.
 */
export function announceChanges(
  table: ToolTable,
  session: ToolSession,
  tell: () => void | Promise<void>,
  onError: (error: unknown) => void,
): Announcements {
  const compare = async () => {
    try {
      if (!session.hasChanged()) return;
    } catch (error) {
      onError(error);
      return;
    }
    try {
      await tell();
    } catch {
      listening[Symbol.dispose]();
    }
  };
  const listening = table.onChange(compare);
  return { compare, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}
