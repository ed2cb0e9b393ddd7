export type { ExportedBundle } from "./bundles/bundle.ts";
export type { BundleFiles } from "./bundles/prove.tools.ts";
export type { BundleWishes } from "./bundles/steps.ts";
export type { Checkpoints, WitnessSignature } from "./checkpoints/checkpoints.ts";
export { type Commit, type CommitPayload, type Field, payloadOf } from "./commits/commit.ts";
export type { Commits } from "./commits/commits.ts";
export { createLedgerJournal } from "./commits/journal.ts";
export type { Disclosures, Erasure } from "./disclosures/disclosures.ts";
export type { ErasurePlan } from "./disclosures/erasure.ts";
export { ledgerError } from "./errors.ts";
export type { FsckReport, Problem, ProblemKind } from "./fsck/report.ts";
export type { LedgerSurroundings } from "./ledger.tools.ts";
export { createLedger, type Ledger } from "./ledger.ts";
export type { MirrorState } from "./mirror/mirror.store.ts";
export type { ServerAccess } from "./mirror/server-calls.ts";
export type { LedgerAnswer, LedgerCall, LedgerPeer, LedgerPeers, LedgerPorts } from "./ports.ts";
export { createLedgerReader, type LedgerReader, type LedgerState, type ReaderPorts } from "./reader.ts";
export { ledgerMigrations } from "./schema.ts";
export { createPasswordReset, type PasswordReset } from "./server/accounts/accounts.ts";
export { scryptPasswords } from "./server/accounts/adapters/scrypt-passwords.ts";
export { publicationFolder } from "./server/log/adapters/publication-folder.ts";
export { checkServerLedger, type LedgerCheckOptions } from "./server/log/ledger-check.ts";
export type { LogKeys } from "./server/log/log-keys.ts";
export { openLinesFile } from "./server/log/witness/adapters/system-lines-file.ts";
export {
  createWitnessServer,
  type WitnessServer,
  type WitnessServerPorts,
} from "./server/log/witness/witness-server.ts";
export {
  DEFAULT_LIMITS,
  type FormerLogKey,
  type LedgerServerConfig,
  type LedgerServerLimits,
  type LedgerServerPorts,
  type Passwords,
  type PublicationFolder,
  type Taken,
  type Windows,
} from "./server/ports.ts";
export { ledgerServerMigrations } from "./server/schema.ts";
export { createLedgerServer, type LedgerServer } from "./server/server.ts";
export { databaseWindows, memoryWindows } from "./server/windows.ts";
