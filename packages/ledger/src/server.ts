// The ledger server and its witness, apart from an agent's own ledger: no node loads them that does not serve one.
export { createPasswordReset, type PasswordReset } from "./server/accounts/accounts.ts";
export { scryptPasswords } from "./server/accounts/adapters/scrypt-passwords.ts";
export { publicationFolder } from "./server/log/adapters/publication-folder.ts";
export { inServerWords } from "./server/log/errors.ts";
export { checkServerLedger, type LedgerCheckOptions } from "./server/log/ledger-check.ts";
export { type LogKeys, type SignedLog, signedLog } from "./server/log/log-keys.ts";
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
  type LogMemory,
  type Passwords,
  type PublicationFolder,
  type Taken,
  type Windows,
} from "./server/ports.ts";
export { ledgerServerMigrations } from "./server/schema.ts";
export { createLedgerServer, type LedgerServer } from "./server/server.ts";
export { databaseWindows, memoryWindows } from "./server/windows.ts";
