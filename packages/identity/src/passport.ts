import { dirname, join, resolve } from "node:path";
import { type Files, fromHex, type Random, toHex } from "@darkmatter/core";
import { createSigner, SEED_BYTES } from "./adapters/keys.ts";
import { identityError } from "./errors.ts";
import { checkGone, rememberPassport } from "./known-passports.ts";
import type { Signer } from "./signer.ts";

export interface PassportSearch {
  /** `--passport`, which goes before `environment`. */
  readonly explicit?: string | undefined;
  /** `DARKMATTER_PASSPORT`. */
  readonly environment?: string | undefined;
  /** The folder the search begins in, absolute. */
  readonly folder: string;
  /** The folder of all agents' states, `<home>/state`. */
  readonly states: string;
}

export interface FoundPassport {
  readonly path: string;
  readonly exists: boolean;
}

/**
 * Where the passport of a folder is or would be created (mesh.md 1). A nearer passport that was in use and is gone
 * is not passed over for a farther one: that would be another agent. @throws PASSPORT_GONE, PASSPORT_UNREADABLE
 */
export async function findPassport(files: Files, search: PassportSearch): Promise<FoundPassport> {
  const named = search.explicit || search.environment;
  const candidates = named ? [resolve(search.folder, named)] : passportsAbove(resolve(search.folder));
  for (const path of candidates) {
    if (await isThere(files, path)) return { path, exists: true };
    await checkGone(files, search.states, path);
  }
  return { path: candidates[0] ?? "", exists: false };
}

/** A place that cannot be looked into is not taken for an empty one: the key in it would be passed over. */
async function isThere(files: Files, path: string): Promise<boolean> {
  return files.exists(path).catch((cause: unknown) => {
    throw identityError(
      "PASSPORT_UNREADABLE",
      `Whether there is a passport at ${path} cannot be seen.`,
      cause,
    );
  });
}

function passportsAbove(folder: string): readonly string[] {
  const above = dirname(folder);
  const here = join(folder, ".darkmatter", "passport.key");
  return above === folder ? [here] : [here, ...passportsAbove(above)];
}

/** The seed a passport holds. @throws PASSPORT_MISSING, PASSPORT_DAMAGED, PASSPORT_UNREADABLE */
export async function readPassport(files: Files, path: string): Promise<Uint8Array> {
  const text = await files.read(path).catch((cause: unknown) => {
    throw identityError("PASSPORT_UNREADABLE", `The passport ${path} cannot be read.`, cause);
  });
  if (text === undefined) throw identityError("PASSPORT_MISSING", `There is no passport at ${path}.`);
  const seed = fromHex(text.trim());
  if (seed?.length !== SEED_BYTES) {
    throw identityError(
      "PASSPORT_DAMAGED",
      `The passport ${path} is damaged: it must hold 64 hex characters alone.`,
    );
  }
  return seed;
}

/** Writes a passport where none is; `false` when one is there already. @throws PASSPORT_UNWRITABLE */
export async function writePassport(files: Files, path: string, seed: Uint8Array): Promise<boolean> {
  return files.create(path, `${toHex(seed)}\n`, 0o600).catch((cause: unknown) => {
    throw identityError("PASSPORT_UNWRITABLE", `The passport ${path} cannot be written.`, cause);
  });
}

export interface OpenPassport {
  readonly path: string;
  readonly signer: Signer;
  readonly created: boolean;
}

/**
 * The passport to start with: the one found, else a new one; its place is remembered in the agent's state.
 * A damaged one is never replaced. @throws PASSPORT_* as above
 */
export async function openPassport(
  { files, random }: { readonly files: Files; readonly random: Random },
  search: PassportSearch,
): Promise<OpenPassport> {
  const { path, exists } = await findPassport(files, search);
  const created = !exists && (await writePassport(files, path, random.bytes(SEED_BYTES)));
  // Read back even when just written: of two processes that start at once, both use the one that is on disk.
  const signer = createSigner(await readPassport(files, path));
  await rememberPassport(files, { states: search.states, agentId: signer.agentId, path });
  return { path, signer, created };
}

/**
 * Puts a seed where a passport belongs. The same one already there is fine; another, or a damaged one, is never
 * overwritten. @throws PASSPORT_EXISTS, PASSPORT_DAMAGED, PASSPORT_UNWRITABLE
 */
export async function placePassport(
  files: Files,
  path: string,
  seed: Uint8Array,
): Promise<"written" | "same"> {
  if (await writePassport(files, path, seed)) return "written";
  const present = await readPassport(files, path);
  if (toHex(present) === toHex(seed)) return "same";
  const { agentId } = createSigner(present);
  throw identityError("PASSPORT_EXISTS", `${path} holds the passport of another agent, ${agentId}.`);
}
