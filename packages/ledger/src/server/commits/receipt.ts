import { prefixed } from "@darkmatter/proof";
import type { Placed } from "../../log/append.ts";
import { millisecondsTime, secondsTime } from "../../times.ts";
import type { Answerable } from "../json-text.ts";
import type { CommitDraft } from "./commit.ts";

/** `_proof` and `_log` of a commit's answer: the log right after its append (ledger.md 2.10). */
export function appendReceipt(draft: CommitDraft, placed: Placed, baseUrl: string) {
  const pubkey_url = `${baseUrl}/api/log/pubkey`;
  return {
    _proof: {
      log_position: placed.position,
      leaf_hash: placed.leaf,
      tree_root: placed.treeRoot,
      tree_size: placed.position + 1,
      accepted_at: secondsTime(draft.acceptedMs),
      client_timestamp: draft.timestamp,
      inclusion_proof: {
        leaf_index: placed.position,
        tree_size: placed.position + 1,
        proof: placed.inclusion.map((step) => ({ ...step })),
      },
      proof_status: "included",
      pubkey_url,
      checkpoint_url: `${baseUrl}/api/log/checkpoint`,
      verify_url: `${baseUrl}/api/log/proof/${draft.id}`,
    },
    _log: {
      position: placed.position,
      log_root: prefixed(placed.logRoot),
      timestamp: millisecondsTime(draft.acceptedMs),
      pubkey_url,
    },
  } satisfies Answerable;
}
