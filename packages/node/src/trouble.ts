/**
 * What can keep a session from its owner, as data: the thin session imports no library, so it cannot use core's
 * error class. `nodeError` wraps one for everybody else.
 */
export interface Trouble {
  readonly code: TroubleCode;
  readonly message: string;
  readonly hint: string;
}

export type TroubleCode =
  | "OWNER_STOPPED"
  | "OWNER_SILENT"
  | "LOCK_DAMAGED"
  | "LOCK_UNUSABLE"
  | "SOCKET_UNSAFE"
  | "START_FAILED"
  | "CONFIG_INVALID";

export function ownerStopped(pid: number): Trouble {
  return {
    code: "OWNER_STOPPED",
    message: `The process that owns this agent's state (${pid}) is stopped, so nothing can be done or read through it.`,
    hint: `Continue it with \`kill -CONT ${pid}\`, or end it with \`kill -9 ${pid}\`; then try again. What was asked of it before may still happen.`,
  };
}

export function ownerSilent(pid: number | undefined): Trouble {
  const who =
    pid === undefined
      ? "The process that owns this agent's state"
      : `The process that owns this agent's state (${pid})`;
  const end =
    pid === undefined
      ? "End the other darkmatter process"
      : `End it with \`kill ${pid}\` if it does not recover`;
  return {
    code: "OWNER_SILENT",
    message: `${who} is not answering.`,
    hint: `${end}; then try again. What was asked of it before may still happen.`,
  };
}

export function lockDamaged(path: string): Trouble {
  return {
    code: "LOCK_DAMAGED",
    message: `The lock file ${path} is damaged: it is not what DarkMatter wrote.`,
    hint: "Make sure no darkmatter process runs for this agent, delete that one file (it holds no data), and start again.",
  };
}

export function lockUnusable(path: string, reason: string): Trouble {
  return {
    code: "LOCK_UNUSABLE",
    message: `The lock file ${path} cannot be opened for writing: ${reason}.`,
    hint: "Check that the folder exists, is yours and is not on a read-only disk, or choose another with --home or DARKMATTER_HOME.",
  };
}

export function socketUnsafe(folder: string): Trouble {
  return {
    code: "SOCKET_UNSAFE",
    message: `The folder ${folder} is not safe for this agent's socket: it is not yours alone.`,
    hint: "Remove it or make it yours with mode 700, or choose a shorter --home so that it is not needed.",
  };
}
