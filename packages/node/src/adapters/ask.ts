import { clientError } from "../ledger-client/errors.ts";

/** Whether there is somebody to ask. */
export const isAsking = (): boolean => process.stdin.isTTY === true;

/** Asks for a line on the terminal. @throws CANCELLED when nobody answers */
export async function askText(
  message: string,
  initialValue: string,
  problemOf: (value: string) => string | undefined,
): Promise<string> {
  const { isCancel, text } = await import("@clack/prompts");
  const validate = (value: string | undefined) => problemOf(value ?? "");
  return given(await text({ message, initialValue, validate, output: process.stderr }), isCancel);
}

/** Asks for one of some answers. @throws CANCELLED when nobody answers */
export async function askChoice<T extends string>(
  message: string,
  choices: readonly { readonly value: T; readonly label: string }[],
): Promise<T> {
  const { isCancel, select } = await import("@clack/prompts");
  const options = choices.map(({ value, label }) => ({ value: value as string, label }));
  return given(await select<string>({ message, options, output: process.stderr }), isCancel) as T;
}

function given(answer: string | symbol, isCancel: (value: unknown) => value is symbol): string {
  if (isCancel(answer)) throw clientError("CANCELLED");
  return answer;
}
