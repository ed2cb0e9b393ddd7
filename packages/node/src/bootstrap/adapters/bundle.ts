import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { reasonOf, sha256Hex } from "@darkmatter/core";
import { nodeError } from "../../errors.ts";

/** The program in one file, as others may install it. */
export interface Bundle {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** The first one asked for waits for it to be made. @throws NO_BUNDLE */
export type BundleSource = () => Promise<Bundle>;

const MAKING_MS = 60_000;
const ENTRY = join(import.meta.dirname, "children", "installed.ts");
const MAKER = join(import.meta.dirname, "../../../../../scripts/make-bundle.ts");

/**
 * The program that runs, as one file: made from its source at the first call, in a process of its own; or, where what
 * runs is such a file, that file. Held afterwards: while a node runs it hands out one and the same.
 */
export function programBundle(): BundleSource {
  let made: Promise<Bundle> | undefined;
  return () => {
    made ??= makeBundle();
    // What failed may work later: the disk was full.
    made.catch(() => (made = undefined));
    return made;
  };
}

async function makeBundle(): Promise<Bundle> {
  const self = fileURLToPath(import.meta.url);
  const bytes = self.endsWith(".ts") ? await fromSource() : readFileSync(self);
  return { bytes, sha256: sha256Hex(bytes) };
}

async function fromSource(): Promise<Uint8Array> {
  if (!existsSync(MAKER)) throw nodeError("NO_BUNDLE");
  const folder = mkdtempSync(join(tmpdir(), "darkmatter-bundle-"));
  const file = join(folder, "darkmatter.mjs");
  try {
    await promisify(execFile)(process.execPath, [MAKER, ENTRY, file], { timeout: MAKING_MS });
    return readFileSync(file);
  } catch (error) {
    throw nodeError("NO_BUNDLE", `The program could not be put into one file: ${reasonOf(error)}`, error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
