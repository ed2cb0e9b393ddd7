import { DarkMatterError, reasonOf } from "@darkmatter/core";

/** Where failures go that no caller waits for, when nobody says where. */
export function warn(error: unknown): void {
  process.emitWarning(reasonOf(error), {
    type: "DarkMatterWarning",
    ...(error instanceof DarkMatterError && { code: error.code }),
  });
}
