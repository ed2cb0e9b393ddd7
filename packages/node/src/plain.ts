// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Another agent's words for a terminal: nothing in them moves the cursor or hides what follows. */
export function plain(value: unknown): string {
  return typeof value === "string" ? value.replace(UNPRINTABLE, "�") : "";
}
