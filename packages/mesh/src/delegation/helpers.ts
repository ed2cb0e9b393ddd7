import type { Processes } from "./processes.ts";

/** What helpers need of the machine; a node without it starts none. */
export interface Helpers {
  readonly processes: Processes;
  /** The project's folder: where the agent's client would work, too. */
  readonly cwd: string;
  /** The node's own environment, of which a helper gets a part. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folders: HelperFolders;
  /** The node is there for as long as one command takes: it starts none and leaves what waits to the next. */
  readonly isBrief?: boolean;
}

/** A folder for each helper, for this user alone, somewhere in the node's own state. */
export interface HelperFolders {
  pathOf(delegationId: string): string;
  /** Makes a helper's folder with these files (mode 600), by their names. */
  make(delegationId: string, files: Readonly<Record<string, string>>): Promise<void>;
  /** Removes a helper's folder and all it holds. */
  remove(delegationId: string): Promise<void>;
  /** Removes what helpers of earlier runs left. */
  removeAll(): Promise<void>;
}
