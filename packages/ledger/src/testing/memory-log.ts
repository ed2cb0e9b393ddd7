import { sha256Hex } from "@darkmatter/core";
import { consistencyProof, inclusionProof, logRootAfter, nodeHash, rootAt } from "@darkmatter/proof";
import type { Log, LogHead } from "../log/log.ts";

/** A log without commits: leaves that are grown, and replaced by others as no honest log can. */
export interface MemoryLog extends Log {
  grow(count: number): void;
  /** Replaces all leaves after the first `kept` by as many others. */
  rewrite(kept: number): void;
  /** Forgets all leaves after the first `kept`. */
  shrink(kept: number): void;
}

export function memoryLog(): MemoryLog {
  let history = 0;
  const leaves: string[] = [];

  async function node(level: number, index: number): Promise<string> {
    if (level > 0) return nodeHash(await node(level - 1, 2 * index), await node(level - 1, 2 * index + 1));
    return leaves[index] ?? "";
  }

  async function headAt(size: number): Promise<LogHead> {
    const logRoot = leaves.slice(0, size).reduce<string | null>(logRootAfter, null);
    return { size, treeRoot: await rootAt(node, size), logRoot: logRoot ?? "" };
  }

  function grow(count: number): void {
    for (let added = 0; added < count; added++) leaves.push(sha256Hex(`${history} ${leaves.length}`));
  }

  return {
    grow,
    rewrite(kept) {
      const { length } = leaves.splice(kept);
      history++;
      grow(length);
    },
    shrink: (kept) => void leaves.splice(kept),
    head: async () => (leaves.length === 0 ? undefined : headAt(leaves.length)),
    headAt: (_read, size) => headAt(size),
    inclusion: (_read, index, size) => inclusionProof(node, index, size),
    consistency: (_read, first, second) => consistencyProof(node, first, second),
  };
}
