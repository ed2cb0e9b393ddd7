import { isJsonObject, parseJson, sha256Hex, utf8 } from "@darkmatter/core";
import type { Verifier } from "@darkmatter/identity";
import {
  checkpointText,
  isSeconds,
  isSignature,
  type SignedCheckpoint,
  signedCheckpointOf,
} from "@darkmatter/proof";
import { witnessError } from "./errors.ts";
import type { LinesFile } from "./lines-file.ts";

/** What a witness signed. */
export interface SignedLine {
  readonly checkpoint: SignedCheckpoint;
  readonly witnessSig: string;
  /** Seconds. */
  readonly witnessedAt: string;
}

/** All that a witness ever signed, oldest first, in a file that is only added to. */
export interface SignedFile {
  readonly last: SignedLine | undefined;
  readonly count: number;
  /** Resolves once it is on disk. */
  append(line: SignedLine): Promise<void>;
}

const NO_LINE = "0".repeat(64);

/**
 * Reads the file through. Each line has its hash, and names that of the one before it: none can be changed, removed or put
 * in between unseen. What a crash left of a last line was never answered to anybody: it is cut off.
 * @throws WITNESS_FILE_DAMAGED
 */
export async function openSignedFile(
  file: LinesFile,
  witnessKey: string,
  { verify }: Verifier,
  onTorn: () => void,
): Promise<SignedFile> {
  const text = await file.read();
  const lines = text.split("\n");
  const torn = lines.pop() ?? "";
  let last: SignedLine | undefined;
  let previous = NO_LINE;
  let count = 0;

  const take = async (line: string): Promise<boolean> => {
    const found = lineOf(line, previous);
    const rises = found && (!last || found.checkpoint.tree_size > last.checkpoint.tree_size);
    if (!rises || !(await verify(witnessKey, checkpointText(found.checkpoint), found.witnessSig)))
      return false;
    last = found;
    previous = hashOf(line);
    count++;
    return true;
  };
  for (const line of lines) {
    if (!(await take(line)))
      throw witnessError("WITNESS_FILE_DAMAGED", `Line ${count + 1} of what this witness signed is damaged.`);
  }
  if (torn !== "") {
    await file.cut(utf8(text).byteLength - utf8(torn).byteLength);
    // Whole but for its end: the signature may have been seen.
    if (await take(torn)) await file.append(torn);
    else onTorn();
  }

  return {
    get last() {
      return last;
    },
    get count() {
      return count;
    },
    async append(signed) {
      const line = lineText(signed, previous);
      await file.append(line);
      last = signed;
      previous = hashOf(line);
      count++;
    },
  };
}

/** The JSON's hash, a blank, the JSON. */
function lineText({ checkpoint, witnessSig, witnessedAt }: SignedLine, previous: string): string {
  const text = JSON.stringify({ previous, checkpoint, witness_sig: witnessSig, witnessed_at: witnessedAt });
  return `${sha256Hex(text)} ${text}`;
}

const hashOf = (line: string) => line.slice(0, NO_LINE.length);

function lineOf(line: string, previous: string): SignedLine | undefined {
  const text = line.slice(NO_LINE.length + 1);
  if (line !== `${sha256Hex(text)} ${text}`) return undefined;
  const value = parseJson(text);
  if (!isJsonObject(value) || value.previous !== previous) return undefined;
  const checkpoint = signedCheckpointOf(value.checkpoint ?? null);
  const { witness_sig: witnessSig, witnessed_at: witnessedAt } = value;
  if (!checkpoint || !isSignature(witnessSig) || !isSeconds(witnessedAt)) return undefined;
  return { checkpoint, witnessSig, witnessedAt };
}
