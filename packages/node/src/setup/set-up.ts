import { reasonOf, sha256Hex, utf8 } from "@darkmatter/core";
import {
  clearAfter,
  exists,
  type Present,
  readBackup,
  readClientFile,
  writeClientFile,
} from "./adapters/client-files.ts";
import type { SetUpFile } from "./adapters/set-up-record.ts";
import { isOurs, type Launch, type Target } from "./client.ts";
import type { Edited, Editor, Found } from "./edit.ts";
import { jsonEntry } from "./json-entry.ts";
import { isOurSkill, skillFile } from "./skill.ts";
import { tomlEntry } from "./toml-entry.ts";

const EDITORS: Readonly<Record<Target["format"], Editor>> = {
  json: jsonEntry,
  toml: tomlEntry,
  skill: skillFile,
};

/** What is to be done to one file. */
export interface Plan {
  readonly target: Target;
  /** Where the file really lies. */
  readonly path: string;
  readonly action: "create" | "add" | "change" | "same" | "remove" | "restore" | "delete" | "refuse";
  readonly before?: string | undefined;
  /** `undefined` with `delete`: the file goes. */
  readonly after?: string | undefined;
  readonly reason?: string;
  readonly record?: SetUpFile | undefined;
  /** What is there now is what undoing brings back. */
  readonly keepBackup?: boolean;
}

/** Whether a client is used here. */
export function isFound({ traces }: Target): boolean {
  return traces.some(exists);
}

/** The file of a target that counts. */
export function fileOf({ files }: Target): string {
  return files.find(exists) ?? (files[0] as string);
}

/** How an entry stands in a client's file now. */
export function findEntry(target: Target): { readonly path: string; readonly found: Found } {
  const present = readClientFile(fileOf(target));
  if (present.kind === "unreadable")
    return { path: present.path, found: { kind: "refused", reason: present.reason } };
  return { path: present.path, found: EDITORS[target.format].find(textOf(present), target.keys) };
}

/** Reads alone: what setting a client up would change. */
export function planSetUp(target: Target, launch: Launch, record: SetUpFile | undefined): Plan {
  const editor = EDITORS[target.format];
  const present = readClientFile(fileOf(target));
  const { path } = present;
  if (present.kind === "unreadable") return { target, path, action: "refuse", reason: present.reason };
  const text = textOf(present);
  const edited = editor.put(text, target.keys, target.entry(launch));
  if (edited.kind === "refused") return { target, path, action: "refuse", reason: edited.reason };
  if (edited.kind === "same") return { target, path, action: "same" };
  const found = editor.find(text, target.keys);
  const before = present.kind === "text" ? text : undefined;
  return {
    target,
    path,
    action: before === undefined ? "create" : found.kind === "found" ? "change" : "add",
    before,
    after: edited.text,
    record: recordOf(target, path, before, found, edited.text, record),
    keepBackup: !(record && found.kind === "found"),
  };
}

function recordOf(
  { client }: Target,
  path: string,
  before: string | undefined,
  found: Found,
  after: string,
  earlier: SetUpFile | undefined,
): SetUpFile {
  const leftSha256 = hash(after);
  if (earlier && found.kind === "found") {
    // Undoing brings back what was before the first time; exactly, if nobody else touched the file since.
    const isUntouched = before !== undefined && earlier.leftSha256 === hash(before);
    return { ...earlier, leftSha256: isUntouched ? leftSha256 : undefined };
  }
  return {
    client,
    path,
    created: before === undefined,
    container: found.kind === "absent" && !found.container,
    // An entry that starts this program already was put there by hand or by an earlier home: it counts as ours.
    ...(found.kind === "found" && !isOurs(found.value) && { previous: found.source }),
    folders: [],
    leftSha256,
  };
}

/** Reads alone: what undoing would change. */
export function planUndo(target: Target, record: SetUpFile | undefined): Plan {
  const editor = EDITORS[target.format];
  const present = readClientFile(record?.path ?? fileOf(target));
  const { path } = present;
  if (present.kind === "unreadable")
    return { target, path, action: "refuse", reason: present.reason, record };
  if (present.kind === "absent") return { target, path, action: "same", record };
  const before = present.text;
  const found = editor.find(before, target.keys);
  if (found.kind === "refused") return { target, path, action: "refuse", reason: found.reason, record };
  if (!record && !(found.kind === "found" && (isOurs(found.value) || isOurSkill(before))))
    return { target, path, action: "same" };
  if (record?.leftSha256 === hash(before)) {
    const backup = record.created ? undefined : readBackup(path);
    if (record.created) return { target, path, action: "delete", before, record };
    if (backup !== undefined) return { target, path, action: "restore", before, after: backup, record };
  }
  return taken(editor.take(before, target.keys, record?.previous, record?.container ?? false), {
    target,
    path,
    before,
    record,
  });
}

function taken(edited: Edited, plan: Omit<Plan, "action">): Plan {
  if (edited.kind === "refused") return { ...plan, action: "refuse", reason: edited.reason };
  if (edited.kind === "same") return { ...plan, action: "same" };
  const isNothing =
    (plan.record?.created || plan.target.format === "skill") && /^\s*(\{\s*\})?\s*$/.test(edited.text);
  return isNothing ? { ...plan, action: "delete" } : { ...plan, action: "remove", after: edited.text };
}

/** Carries a plan out. What is now to be remembered of the file; `undefined` nothing. @throws what the system says */
function carryOut(plan: Plan): SetUpFile | undefined {
  const { path, action, before, after, record, keepBackup = false } = plan;
  if (action === "refuse") return record;
  if (action === "create" || action === "add" || action === "change") {
    const folders = writeClientFile({ path, before, after, keepBackup });
    return record && { ...record, folders: [...record.folders, ...folders] };
  }
  if (action === "same" && !record) return undefined;
  if (action !== "same") writeClientFile({ path, before, after, keepBackup: false });
  clearAfter(path, record?.folders ?? []);
  return undefined;
}

/** Carries it out, or says as a plan why that could not be. */
export function tryOut(plan: Plan): { readonly plan: Plan; readonly record: SetUpFile | undefined } {
  try {
    return { plan, record: carryOut(plan) };
  } catch (error) {
    const reason = `it cannot be written: ${reasonOf(error)}`;
    return { plan: { ...plan, action: "refuse", reason }, record: undefined };
  }
}

function textOf(present: Present): string {
  return present.kind === "text" ? present.text : "";
}

function hash(text: string): string {
  return sha256Hex(utf8(text));
}
