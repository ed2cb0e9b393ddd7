/** What SQLite throws, by its result code: 13 disk full, 10 disk failed, 11 damaged. */
export function sqliteFault(resultCode: number): Error {
  return Object.assign(new Error(`injected result code ${resultCode}`), {
    code: "ERR_SQLITE_ERROR",
    errcode: resultCode,
  });
}

export interface Faults {
  /** Hand it to `openSqlite`. */
  readonly onStatement: (sql: string) => void;
  /** The next statement that begins so throws this; `after` lets that many pass first. */
  failNext(beginning: string, error: Error, after?: number): void;
  /** Every statement that begins so throws this, until `heal`. */
  failAlways(beginning: string, error: Error): void;
  heal(): void;
  /** How many statements began so. */
  count(beginning: string): number;
}

/** Makes statements of a SQLite database fail when a test says so, and counts them. */
export function createFaults(): Faults {
  const heard: string[] = [];
  let armed: { beginning: string; error: Error; after: number; always: boolean } | undefined;
  return {
    onStatement(sql) {
      heard.push(sql);
      if (!armed || !sql.startsWith(armed.beginning) || armed.after-- > 0) return;
      const { error, always } = armed;
      if (always) armed.after = 0;
      else armed = undefined;
      throw error;
    },
    failNext(beginning, error, after = 0) {
      armed = { beginning, error, after, always: false };
    },
    failAlways(beginning, error) {
      armed = { beginning, error, after: 0, always: true };
    },
    heal() {
      armed = undefined;
    },
    count: (beginning) => heard.filter((sql) => sql.startsWith(beginning)).length,
  };
}
