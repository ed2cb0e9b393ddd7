import type { Read } from "@darkmatter/store";

/** The id of an account's newest commit. */
export async function tipOfAccount(read: Read, account: number): Promise<string | undefined> {
  const row = await read.get<{ id: string }>(
    "SELECT id FROM ledger_commits WHERE account = ? ORDER BY position DESC LIMIT 1",
    account,
  );
  return row?.id;
}
