import { prefixed } from "@darkmatter/proof";
import type { PlaceProof } from "../../log/append.ts";
import { millisecondsTime, secondsTime } from "../../times.ts";
import type { Answerable } from "../json-text.ts";
import type { StoredCommit } from "./commit.ts";

/** `_proof` and `_log` of a commit's answer: the log right after its append (ledger.md 2.10). */
export function appendReceipt(
  { id, acceptedMs, timestamp, position, leaf, logRoot }: StoredCommit,
  { treeRoot, inclusion }: PlaceProof,
  baseUrl: string,
) {
  const pubkey_url = `${baseUrl}/api/log/pubkey`;
  return {
    _proof: {
      log_position: position,
      leaf_hash: leaf,
      tree_root: treeRoot,
      tree_size: position + 1,
      accepted_at: secondsTime(acceptedMs),
      client_timestamp: timestamp,
      inclusion_proof: {
        leaf_index: position,
        tree_size: position + 1,
        proof: inclusion.map((step) => ({ ...step })),
      },
      proof_status: "included",
      pubkey_url,
      checkpoint_url: `${baseUrl}/api/log/checkpoint`,
      verify_url: `${baseUrl}/api/log/proof/${id}`,
    },
    _log: {
      position,
      log_root: prefixed(logRoot),
      timestamp: millisecondsTime(acceptedMs),
      pubkey_url,
    },
  } satisfies Answerable;
}
