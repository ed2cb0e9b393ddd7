import { join } from "node:path";
import { parseJson } from "@darkmatter/core";
import { nodeFiles } from "@darkmatter/store";
import { z } from "zod";

/** What was done to one file, so that exactly that can be undone. */
const SetUpFile = z.object({
  client: z.string(),
  path: z.string(),
  /** The file was not there before. */
  created: z.boolean(),
  /** Neither was what holds the entry. */
  container: z.boolean(),
  /** The entry that was there before, as it stood. */
  previous: z.string().optional(),
  folders: z.array(z.string()),
  /** SHA-256 of the file as it was left; while it is that, its backup is what was before. */
  leftSha256: z.string().optional(),
});
export type SetUpFile = z.infer<typeof SetUpFile>;

const Record = z.object({ version: z.literal(1), files: z.array(SetUpFile) });

const recordPath = (home: string) => join(home, "setup.json");

/** What `darkmatter setup` did on this machine; nothing when it never ran, or its record is gone. */
export async function readSetUpRecord(home: string): Promise<SetUpFile[]> {
  const text = await nodeFiles.read(recordPath(home));
  return Record.safeParse(text === undefined ? undefined : parseJson(text)).data?.files ?? [];
}

export async function writeSetUpRecord(home: string, files: readonly SetUpFile[]): Promise<void> {
  if (files.length === 0) return nodeFiles.remove(recordPath(home));
  await nodeFiles.replace(recordPath(home), `${JSON.stringify({ version: 1, files }, null, 2)}\n`);
}
