import type { BundleFiles, LedgerReader, ServerAccess } from "@darkmatter/ledger";
import type { Mesh, MeshPorts } from "@darkmatter/mesh";
import type { Migration } from "@darkmatter/store";
import type { FindDelegate, ToolTable } from "@darkmatter/surface";

/** What every layer stands on; the journal is a layer's own work. */
export type NodePorts = Omit<MeshPorts, "journal"> & {
  /** Where the agent's exports lie, and what it may have checked. */
  readonly bundleFiles: BundleFiles;
  /** The ledger server that the node's log is copied to. */
  readonly mirror?: ServerAccess | undefined;
};

/** A layer as the node runs it. Nothing is written and nothing is sent before `start`. */
export type Layer = Pick<Mesh, "routes" | "tools" | "jobs" | "stateFiles" | "start" | "stop"> & {
  /** Absent where nobody acts in the agent's place. */
  readonly delegates?: FindDelegate;
  /** Whether a process of this machine is a running helper, or was started by one. */
  readonly isHelper?: (pid: number) => Promise<boolean>;
  /** Absent where acts are not kept as commits. */
  readonly ledger?: LedgerReader;
};

/** What a node is made of: the mesh, or a small stand-in where only the owner and its sessions are tried. */
export interface Assembly {
  /** In the order they run; the store's own come first and are not among them. */
  readonly migrations: readonly Migration[];
  readonly create: (ports: NodePorts) => Layer;
  /** What a client is shown that asks what there is while nobody owns the state; its tools are never called. */
  readonly preview: ToolTable;
}
