export { type Anchor, type AnchorPorts, createAnchor } from "./anchor/anchor.ts";
export type { HelperFolders, Helpers } from "./delegation/helpers.ts";
export {
  type ProcessEnd,
  type Processes,
  type ProcessSpec,
  type StartedProcess,
  TAIL_CHARACTERS_MAX,
} from "./delegation/processes.ts";
export { PROFILES } from "./delegation/profiles.ts";
export { INSTRUCTIONS } from "./instructions.ts";
export { createMesh, type Mesh } from "./mesh.ts";
export type {
  Cost,
  Forward,
  PoolHandler,
  ProxyRequest,
  ProxyResult,
  UpstreamAnswer,
} from "./pools/handler.ts";
export type { Provider } from "./pools/pool.ts";
export type { Listening, MeshConfig, MeshPorts, Report } from "./ports.ts";
export type { CustomRouter, CustomRouting } from "./router/custom.ts";
export { meshMigrations } from "./schema.ts";
export { parseStateFile, type StateFile } from "./state-file/state-file.ts";
export type { StateFiles } from "./state-file/state-files.ts";
export { readUnread, type Unread } from "./waking/unread.ts";
export { createSolanaWallet } from "./wallets/adapters/solana.ts";
export type { WalletProvider } from "./wallets/wallet.ts";
