import { DarkMatterError, type JsonObject } from "@darkmatter/core";

/** Runs a tool's act; what the caller did wrong becomes a result that says what to do. */
export async function answered(act: () => Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof DarkMatterError)) throw error;
    return { success: false, error: error.message, next_step: error.hint };
  }
}
