import { existsSync } from "node:fs";
import { type SignedLog, signedLog } from "@darkmatter/ledger/server";
import { spkiPem } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { nodeError } from "../errors.ts";
import { ledgerFile, openLedgerDatabase } from "./ledger-database.ts";
import { logMemory } from "./log-memory.ts";

/**
 * A key that is not there is made only for a log that never had one: the next one would not fit, and lie where the
 * right one belongs.
 * @throws LOG_KEY_LOST
 */
export async function refuseLostKey(home: string, keyFile: string, db: Read | undefined): Promise<void> {
  const signed = db && (await signedLog(db));
  const none = `There is no key in ${keyFile}`;
  if (signed) throw nodeError("LOG_KEY_LOST", `${none}, and the log ${whoseText(signed)}`);
  const { place } = logMemory(home);
  if (existsSync(place)) throw nodeError("LOG_KEY_LOST", `${none}, and by ${place} it signed a log.`);
}

/** The same where no server is about to start, by what the home holds: a PostgreSQL database is not asked. */
export async function refuseLostKeyOf(home: string, keyFile: string): Promise<void> {
  if (!existsSync(ledgerFile(home))) return refuseLostKey(home, keyFile, undefined);
  await using db = await openLedgerDatabase(home, undefined, "read");
  await refuseLostKey(home, keyFile, db);
}

/** With the key as a file of former keys has it, for whoever has to go on without. */
function whoseText({ publicKey, signedAt }: SignedLog): string {
  const whose = publicKey === undefined ? "is another key's" : `is that of the key ${publicKey}`;
  if (signedAt === undefined) return `${whose}.`;
  const signed = `${whose}, which signed it last at ${signedAt}.`;
  if (publicKey === undefined) return signed;
  return `${signed}\nAs a former key it is written\n\nvalid-until: ${signedAt}\n${spkiPem(publicKey)}`;
}
