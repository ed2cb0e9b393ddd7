import { nodeError } from "../errors.ts";

/** Asks on the terminal before something that cannot be undone. @throws NOT_CONFIRMED also when there is nobody to ask */
export async function confirmed(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw nodeError("NOT_CONFIRMED");
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  if (isCancel(answer) || answer !== true) throw nodeError("NOT_CONFIRMED");
}
