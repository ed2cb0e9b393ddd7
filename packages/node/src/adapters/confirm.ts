import { nodeError } from "../errors.ts";

/** Asks on the terminal before something that cannot be undone. @throws NOT_CONFIRMED also when there is nobody to ask */
export async function confirmed(question: string): Promise<void> {
  if (!process.stdin.isTTY || !(await asked(question))) throw nodeError("NOT_CONFIRMED");
}

/** Shows what is meant and asks, on a terminal; where there is none, whoever calls has agreed already. */
export async function agreed(lines: readonly string[], question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  process.stderr.write(lines.map((line) => `${line}\n`).join(""));
  return await asked(question);
}

async function asked(question: string): Promise<boolean> {
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  return !isCancel(answer) && answer === true;
}
