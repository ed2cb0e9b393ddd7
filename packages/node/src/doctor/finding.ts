export type Level = "ok" | "warn" | "fail";

/** One line of the doctor's. */
export interface Finding {
  /** What was looked at: `key`, `owner`, `peer`. */
  readonly check: string;
  readonly level: Level;
  readonly what: string;
  /** For what is not ok: a command that works as it stands, or what to do where none can. */
  readonly fix?: string;
}

export const ok = (check: string, what: string): Finding => ({ check, level: "ok", what });
export const warn = (check: string, what: string, fix: string): Finding => ({
  check,
  level: "warn",
  what,
  fix,
});
export const fail = (check: string, what: string, fix: string): Finding => ({
  check,
  level: "fail",
  what,
  fix,
});
