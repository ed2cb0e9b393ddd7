import type { Kind } from "../outcome.ts";
import { byok } from "./byok.ts";
import { canonical } from "./canonical.ts";
import { chainV1, chainV2, exportedChainHash } from "./chains.ts";
import { attestation, checkpoint } from "./signed.ts";

/** What runs the cases of each file, by the file's name. */
export const LEDGER_KINDS: Readonly<Record<string, Kind>> = {
  canonical,
  chain_v1: chainV1,
  chain_v2: chainV2,
  attestation,
  checkpoint,
  byok,
  export_chain_hash: exportedChainHash,
};
