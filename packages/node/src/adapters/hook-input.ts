import { isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";

const INPUT_BYTES_MAX = 1024 * 1024;
const INPUT_MS = 1000;

/** What a client tells its hook on stdin; nothing of a terminal, and nothing that comes too late or is too much. */
export async function readHookInput(stdin: NodeJS.ReadStream): Promise<JsonObject> {
  if (stdin.isTTY) return {};
  const chunks: Buffer[] = [];
  let size = 0;
  const late = setTimeout(() => stdin.destroy(), INPUT_MS);
  try {
    for await (const chunk of stdin) {
      size += (chunk as Buffer).length;
      if (size > INPUT_BYTES_MAX) return {};
      chunks.push(chunk as Buffer);
    }
  } catch {
    // Destroyed when it was late: a hook goes on with what it knows.
    return {};
  } finally {
    clearTimeout(late);
  }
  const value = parseJson(Buffer.concat(chunks).toString("utf8"));
  return isJsonObject(value) ? value : {};
}
