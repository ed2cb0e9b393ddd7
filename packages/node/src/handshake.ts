/** What a session and its owner tell each other in one line each before MCP begins on the socket. */
export const RELAY_PROTOCOL = 1;
/** A first line longer than this is none of ours. */
export const HANDSHAKE_LENGTH_MAX = 16 * 1024;

export interface Hello {
  readonly darkmatter: typeof RELAY_PROTOCOL;
  readonly version: string;
  readonly pid: number;
  /** Hints and the tools seen are kept per session, and survive the owner. */
  readonly session: string;
  /** Names of the tools this session has called: they stay visible to it. */
  readonly called: readonly string[];
  /**
   * `session` may take ownership, and asks an older program to hand it over; `command` comes and goes; `probe` only
   * wants to know that somebody answers, and no MCP follows.
   */
  readonly role: "session" | "command" | "probe";
  /** The token of a helper that the owner started: it is served the tools of its task. */
  readonly delegate?: string;
}

export interface Welcome {
  readonly darkmatter: number;
  readonly version: string;
  readonly pid: number;
  /** The owner is the older program: it stops now, and no MCP follows. Take the lock when it is free. */
  readonly handingOver: boolean;
}

const ROLES: readonly string[] = ["session", "command", "probe"] satisfies Hello["role"][];

/** Reads a session's first line; `undefined` when it is not one this program understands. */
export function parseHello(line: string): Hello | undefined {
  const hello = parseObject(line);
  if (hello?.darkmatter !== RELAY_PROTOCOL || !Number.isSafeInteger(hello.pid)) return undefined;
  if (typeof hello.session !== "string" || hello.session.length > 64) return undefined;
  const { called } = hello;
  if (!Array.isArray(called) || !called.every((name) => typeof name === "string")) return undefined;
  const { delegate } = hello;
  if (delegate !== undefined && (typeof delegate !== "string" || delegate.length > 512)) return undefined;
  if (typeof hello.version !== "string" || !ROLES.includes(hello.role as string)) return undefined;
  return hello as unknown as Hello;
}

export function parseWelcome(line: string): Welcome | undefined {
  const welcome = parseObject(line);
  if (welcome?.darkmatter !== RELAY_PROTOCOL || !Number.isSafeInteger(welcome.pid)) return undefined;
  if (typeof welcome.version !== "string" || typeof welcome.handingOver !== "boolean") return undefined;
  return welcome as unknown as Welcome;
}

/** Whether version `a` is newer than `b`, by its three numbers; what is no version is never newer. */
export function isNewer(a: string, b: string): boolean {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  if (left === undefined || right === undefined) return false;
  const at = left.findIndex((number, index) => number !== right[index]);
  return at !== -1 && (left[at] as number) > (right[at] as number);
}

function numbersOf(version: string): number[] | undefined {
  const found = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})/.exec(version);
  return found?.slice(1).map(Number);
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (line.length > HANDSHAKE_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not a handshake: whoever wrote it is no session of ours.
    return undefined;
  }
}
