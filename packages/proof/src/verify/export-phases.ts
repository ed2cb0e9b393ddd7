import { prefixed } from "../chain.ts";
import { firstReason, type Phase, type PhaseContext } from "./phase.ts";
import { createTally } from "./tally.ts";

export function exportHashPhase({ bundle, source }: PhaseContext): Phase {
  const tally = createTally("export_hash", "hash of the whole file", "");
  return {
    whole() {
      const holds = bundle.export_hash === prefixed(source.hashWithout("export_hash"));
      const id = bundle.metadata.export_id;
      tally.judge(0, id, holds ? undefined : "the file is not what its export_hash was made of");
    },
    report: tally.report,
  };
}

/** The text a node signs of a bundle: `hash` is of canon-1 of the object without `export_hash` and `export_sig`. */
function exportText(hash: string): string {
  return `darkmatter.export.v1\n${hash}`;
}

export function exportSignaturePhase({ bundle, source, signatures }: PhaseContext): Phase {
  const tally = createTally("export_signature", "signature of the exporter", "only a node's bundle has one");
  const { node, metadata, server_pubkey } = bundle;
  return {
    whole() {
      if (!node) return;
      const key = metadata.exported_by;
      const reason = firstReason(
        [node.log === `mesh/${key}`, "log and exported_by name different keys"],
        [server_pubkey.public_key === key, "server_pubkey and exported_by name different keys"],
      );
      if (reason !== undefined) return tally.judge(0, key, reason);
      const text = exportText(source.hashWithout("export_hash", "export_sig"));
      signatures.start(key, text, node.export_sig, (valid) =>
        tally.judge(0, key, valid ? undefined : "the exporter did not sign this"),
      );
    },
    report: tally.report,
  };
}
