import { DarkMatterError, type ErrorKind, errorsOf } from "@darkmatter/core";
import type { Trouble } from "./trouble.ts";

const kind = (message: string, hint: string): ErrorKind => ({ status: 500, retryable: false, message, hint });

const KINDS = {
  CONFIG_INVALID: kind("A setting has a value it cannot have.", "Correct it or remove it, then start again."),
  HOME_UNUSABLE: kind(
    "The state folder cannot be written.",
    "Check that it is yours, not on a read-only or full disk, or choose another with --home or DARKMATTER_HOME.",
  ),
  PASSPORT_GONE: kind(
    "The passport this folder's agent had is gone, though its state exists.",
    "Put the key back (`darkmatter passport restore FILE`), or delete the state to become a new agent.",
  ),
  PORTS_BUSY: kind(
    "No port is free.",
    "End what uses the ports, or choose another with DARKMATTER_PORT (0: any free one).",
  ),
  NO_NODE: kind("No node has run here yet.", "Start one: darkmatter up"),
  TOOL_FAILED: kind("The node refused.", "See the message above; `darkmatter status` says how the node is."),
  NOT_FOUND: kind(
    "Nothing matches.",
    "List what there is (`darkmatter peers`, `darkmatter inbox`), then name one of it.",
  ),
  AMBIGUOUS: kind("More than one matches.", "Give more characters of the id."),
  UNREADABLE_FILE: kind("The file cannot be used.", "Check its name and its content."),
} satisfies Record<string, ErrorKind>;

export type NodeErrorCode = keyof typeof KINDS;

const fromTable = errorsOf<NodeErrorCode>(KINDS);

/** An error of this package: by its code, or from a thin session's trouble. */
export function nodeError(what: NodeErrorCode | Trouble, detail?: string, cause?: unknown): DarkMatterError {
  if (typeof what === "string") return fromTable(what, detail, cause);
  return new DarkMatterError(what.code, kind(what.message, what.hint));
}
