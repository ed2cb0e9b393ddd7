import {
  type ExactJson,
  type ExactObject,
  isExactObject,
  readExactJson,
  writeExactJson,
} from "@darkmatter/core";
import { clientError } from "./errors.ts";

/** One commit of a bundle, as it is committed anew. */
export interface ImportedStep {
  /** Its id where it comes from. */
  readonly id: string;
  readonly parentId: string | null;
  /** Scheme 1, prefixed: of payload and order alone, so it is the same wherever the chain is committed (ledger.md 2.4). */
  readonly chainHash: string;
  readonly traceId: string;
  /** The body of `POST /api/commit`, its parent left out. */
  body(parentId: string | undefined): string;
}

/** Characters of a server's texts (ledger.md 1.2), and of a label (1.3). */
const TEXT_MAX = 200;
const LABEL_MAX = 64;

/**
 * The steps of a bundle that was verified, root first. Payloads keep their bytes; who committed them where and when,
 * under which hashes, goes into `metadata.imported`.
 *
 * @throws BUNDLE_UNUSABLE where a payload is encrypted or gone: it could not be hashed anew
 */
export function importedSteps(text: string): ImportedStep[] {
  const top = objectIn(readExactJson(text));
  const chain = top.get("chain");
  if (!Array.isArray(chain) || chain.length === 0) throw clientError("BUNDLE_UNUSABLE", "It holds no chain.");
  const passports = chain.map(objectIn);
  const exportHash = textIn(top, "export_hash") ?? "";
  const rootId = textIn(passports[0] as ExactObject, "id") ?? "";
  return passports.map((passport) => stepOf(passport, exportHash, rootId));
}

function stepOf(passport: ExactObject, exportHash: string, rootId: string): ImportedStep {
  const id = textIn(passport, "id") ?? "";
  const payload = passport.get("payload") ?? null;
  if (!isExactObject(payload)) {
    throw clientError(
      "BUNDLE_UNUSABLE",
      `The payload of ${id} is not in the bundle (encrypted or pruned), so it cannot be committed anew.`,
    );
  }
  const integrity = objectIn(passport.get("integrity"));
  const event = objectIn(passport.get("event"));
  const by = objectIn(passport.get("created_by"));
  const traceId = fitting(textIn(passport, "trace_id"), TEXT_MAX) ?? `import_${rootId}`;
  const members: (readonly [string, ExactJson | undefined])[] = [
    ["payload", payload],
    ["traceId", traceId],
    ["branchKey", fitting(textIn(passport, "branch_key"), TEXT_MAX)],
    ["eventType", fitting(textIn(event, "label") ?? textIn(event, "type"), LABEL_MAX)],
    [
      "agent",
      present(["role", "provider", "model"].map((name) => [name, fitting(textIn(by, name), TEXT_MAX)])),
    ],
    ["metadata", present([["imported", originOf(passport, id, exportHash)]])],
  ];
  return {
    id,
    parentId: textIn(passport, "parent_id") ?? null,
    chainHash: textIn(integrity, "integrity_hash") ?? "",
    traceId,
    body: (parentId) => writeExactJson(present([...members, ["parentId", parentId]])),
  };
}

/** What the commit was where it comes from; the bundle proves it, this only points there. */
function originOf(passport: ExactObject, id: string, exportHash: string): ExactObject {
  const second = passport.get("integrity_v2");
  const by = objectIn(passport.get("created_by"));
  return present([
    ["id", id],
    ["integrity_hash", textIn(objectIn(passport.get("integrity")), "integrity_hash")],
    ["integrity_hash_v2", second === undefined ? undefined : textIn(objectIn(second), "integrity_hash")],
    ["parent_id", textIn(passport, "parent_id")],
    ["agent_id", textIn(by, "agent_id")],
    ["agent_name", textIn(by, "agent_name")],
    ["created_at", textIn(passport, "created_at")],
    ["fork_of", textIn(passport, "fork_of")],
    ["export_hash", exportHash],
  ]);
}

const present = (members: readonly (readonly [string, ExactJson | undefined])[]): ExactObject =>
  new Map(members.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));

function objectIn(value: ExactJson | undefined): ExactObject {
  if (value !== undefined && isExactObject(value)) return value;
  throw clientError("BUNDLE_UNUSABLE", "It has not the form of a bundle.");
}

function textIn(object: ExactObject, name: string): string | undefined {
  const value = object.get(name);
  return typeof value === "string" ? value : undefined;
}

/** Longer texts are another kind of server's: what was is in the bundle. */
const fitting = (text: string | undefined, max: number) =>
  text === undefined ? undefined : text.slice(0, max);
