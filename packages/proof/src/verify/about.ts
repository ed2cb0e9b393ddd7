import type { Bundle } from "./bundle-form.ts";
import type { BundleAbout } from "./report.ts";

/** What a bundle says of itself. */
export function aboutOf({ checkpoint, integrity, metadata, node, steps }: Bundle): BundleAbout {
  const peers = new Set(steps.map(({ passport }) => passport.payload?.get("peer")));
  return {
    exportedBy: metadata.exported_by,
    exportedAt: metadata.exported_at,
    exportId: metadata.export_id,
    agentName: steps[0]!.passport.created_by.agent_name,
    log: node?.log ?? null,
    traceId: metadata.trace_id,
    steps: steps.length,
    peers: [...peers].filter((peer) => typeof peer === "string"),
    from: integrity.timestamp_range.from,
    to: integrity.timestamp_range.to,
    checkpoint: checkpoint && {
      id: checkpoint.checkpoint_id,
      size: checkpoint.tree_size,
      timestamp: checkpoint.timestamp,
    },
    witnesses: (checkpoint?.witness_signatures ?? []).map(({ witness_id, witness_name }) => ({
      id: witness_id,
      name: witness_name,
    })),
    accused: [...new Set(node?.evidence.map(({ agent_id }) => agent_id))],
  };
}
