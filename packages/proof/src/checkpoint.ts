/** What a log commits to at one size (ledger.md 2.10). Hashes are bare lower-case hex. */
export interface Checkpoint {
  readonly checkpoint_id: string;
  readonly log_position: number;
  readonly log_root: string;
  readonly previous_cp_id: string | null;
  readonly previous_tree_root: string | null;
  readonly schema_version: "3";
  /** Seconds, `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly timestamp: string;
  readonly tree_root: string;
  readonly tree_size: number;
}

/** A checkpoint as it travels: `position` repeats `log_position`. */
export interface SignedCheckpoint extends Checkpoint {
  readonly server_sig: string;
  readonly position: number;
}
