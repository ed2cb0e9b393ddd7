/** What is started, and how: an argument vector, never a line for a shell. */
export interface ProcessSpec {
  /** The program as it was found by `find`. */
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Written to its stdin, which is then closed; without it stdin is closed from the start. */
  readonly stdin?: string;
}

/** How a process ended. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  | { readonly kind: "not started"; readonly reason: string };

/** A process that was started, with every process it starts in its group. */
export interface StartedProcess {
  /** `undefined` when it could not be started; `ended` says why. */
  readonly pid: number | undefined;
  /** What tells it from any later process with the same id; `undefined` where the system does not say. */
  readonly mark: string | undefined;
  /** Resolves once, when the process itself has ended. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** The end of what it wrote, at most `TAIL_CHARACTERS_MAX`. Never logged: it may hold what peers wrote. */
  tail(): string;
  /**
   * Asks the whole group to end, and kills what is left of it `graceMs` later. Resolves when nothing is left. Safe to
   * call at any time, and more than once.
   */
  terminate(graceMs: number): Promise<void>;
}

export const TAIL_CHARACTERS_MAX = 4096;

/**
 * Other programs of this machine. Each is the leader of its own process group, so that it and all it started can be
 * ended together; what is left of a group when its leader ends is ended, too.
 */
export interface Processes {
  /** Never throws: what cannot be started ends as `not started`. */
  start(spec: ProcessSpec): StartedProcess;
  /** The path of a program as the system would find it; `undefined` where there is none. */
  find(command: string): Promise<string | undefined>;
  /**
   * Ends a group that an earlier run of this node started, if its leader is provably still the same process.
   * Whether it was.
   */
  terminateLeftover(left: { readonly pid: number; readonly mark: string }): Promise<boolean>;
  /**
   * Ends every process that an earlier run of this node started with this variable in its environment, as far as the
   * system shows environments. Whether there were any.
   */
  terminateMarked(variable: string, value: string): Promise<boolean>;
  /** Whether a process leads one of these groups, is in one, or descends from whoever leads one. */
  isOf(pid: number, leaders: readonly number[]): Promise<boolean>;
}
