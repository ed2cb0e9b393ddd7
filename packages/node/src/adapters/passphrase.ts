import { PASSPHRASE_CODE_POINTS_MIN } from "@darkmatter/identity";
import { nodeError } from "../errors.ts";

/**
 * The passphrase of a backup: `DARKMATTER_PASSPHRASE`, else asked for on the terminal, twice for a new one.
 * @throws NO_PASSPHRASE when there is nobody to ask, or nobody answers
 */
export async function askPassphrase(isNew: boolean): Promise<string> {
  const given = process.env.DARKMATTER_PASSPHRASE;
  if (given) return given;
  if (!process.stdin.isTTY) throw nodeError("NO_PASSPHRASE");
  const { isCancel, password } = await import("@clack/prompts");
  const ask = async (message: string) => {
    const answer = await password({ message, output: process.stderr });
    if (isCancel(answer) || answer === undefined) throw nodeError("NO_PASSPHRASE");
    return answer;
  };
  const first = await ask(
    isNew ? `A passphrase of at least ${PASSPHRASE_CODE_POINTS_MIN} characters` : "Passphrase",
  );
  if (isNew && (await ask("Once more")) !== first)
    throw nodeError("NO_PASSPHRASE", "The two are not the same.");
  return first;
}
