import type { Read, Write } from "@darkmatter/store";
import { type Commit, payloadOf } from "../commits/commit.ts";
import { commits } from "../commits/commits.ts";
import { ledgerError } from "../errors.ts";
import type { Disclosures } from "./disclosures.ts";

/** What of one commit is to be erased. */
export interface ErasureStep {
  readonly commitId: string;
  readonly act: string;
  readonly peer: string | null;
  /** Names of fields that are still held; never empty. */
  readonly fields: readonly string[];
}

export interface ErasurePlan {
  readonly steps: readonly ErasureStep[];
  /** Messages whose own words go, so that other copies of them have to go as well. */
  readonly messageIds: readonly string[];
  /** Fields that stay and hold a hash without salt of words that go: whoever has one can test a guess. */
  readonly hashesLeft: readonly Pick<ErasureStep, "commitId" | "fields">[];
}

/** What a person calls a message's words, in whichever act they were kept. */
const WORDS: ReadonlySet<string> = new Set(["content", "response", "metadata"]);

/**
 * What erasing would erase: of a commit, or, for a message id, of every commit about it. Nothing is changed.
 *
 * @param names fields by name, each wherever it is held, or all of them
 * @throws NO_SUCH_COMMIT, AMBIGUOUS_COMMIT; NO_SUCH_FIELD for a name that is held nowhere
 */
export async function planErasure(
  read: Read,
  disclosures: Pick<Disclosures, "fieldsOf">,
  what: string,
  names: readonly string[] | "all",
): Promise<ErasurePlan> {
  const about = await commitsMeant(read, what);
  const steps: ErasureStep[] = [];
  const messageIds = new Set<string>();
  for (const commit of about) {
    const held = (await disclosures.fieldsOf(read, commit.position)).map(({ name }) => name);
    const fields = names === "all" ? held : held.filter((name) => names.includes(name));
    if (fields.length === 0) continue;
    const { act, peer, message_id } = payloadOf(commit);
    steps.push({ commitId: commit.id, act, peer, fields });
    if (message_id !== undefined && fields.some((name) => WORDS.has(name))) messageIds.add(message_id);
  }
  const found = new Set(steps.flatMap(({ fields }) => fields));
  const missing = names === "all" ? [] : names.filter((name) => !found.has(name));
  if (steps.length === 0 || missing.length > 0) throw nothingHeld(missing);
  return {
    steps,
    messageIds: [...messageIds],
    hashesLeft: await hashesBeside(read, disclosures, steps, messageIds),
  };
}

/** In whichever act about these messages. */
async function hashesBeside(
  read: Read,
  disclosures: Pick<Disclosures, "fieldsOf">,
  steps: readonly ErasureStep[],
  messageIds: ReadonlySet<string>,
): Promise<ErasurePlan["hashesLeft"]> {
  const going = new Map(steps.map(({ commitId, fields }) => [commitId, fields]));
  const words = new Set(steps.flatMap(({ fields }) => fields));
  const left: Pick<ErasureStep, "commitId" | "fields">[] = [];
  for (const messageId of messageIds) {
    for (const commit of await commits.ofTrace(read, messageId)) {
      const { act } = payloadOf(commit);
      const held = (await disclosures.fieldsOf(read, commit.position)).map(({ name }) => name);
      const fields = held.filter(
        (name) => hashed(act, name).some((word) => words.has(word)) && !going.get(commit.id)?.includes(name),
      );
      if (fields.length > 0) left.push({ commitId: commit.id, fields });
    }
  }
  return left;
}

/** Of which words a field holds a hash (docs/proof.md section 1). */
function hashed(act: string, name: string): readonly string[] {
  if (name === "receipt") return ["content"];
  if (name !== "signed") return [];
  return act === "message.answered" ? ["response"] : ["content", "metadata"];
}

/** Does what a plan says, in one transaction. Call `db.purge()` after its COMMIT. */
export async function erasePlanned(
  tx: Write,
  disclosures: Pick<Disclosures, "erase">,
  { steps }: ErasurePlan,
): Promise<void> {
  for (const { commitId, fields } of steps) await disclosures.erase(tx, commitId, fields);
}

/** A message or an agent is all that was committed about it; everything else is one commit. */
async function commitsMeant(read: Read, what: string): Promise<readonly Commit[]> {
  const found = await commits.find(read, what);
  return found.trace === what ? commits.ofTrace(read, what) : [found];
}

function nothingHeld(missing: readonly string[]): Error {
  if (missing.length === 0) return ledgerError("NO_SUCH_FIELD", "Nothing of it is held any more.");
  return ledgerError("NO_SUCH_FIELD", `No such field is held: ${missing.join(", ")}.`);
}
