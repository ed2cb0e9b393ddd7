/** What of the disk the product touches. Paths are absolute. The system's in production, in memory in tests. */
export interface Files {
  /** The whole file as text, or `undefined` when there is none. */
  read(path: string): Promise<string | undefined>;
  exists(path: string): Promise<boolean>;
  /**
   * Replaces a file so that a crash leaves the old one or the new one, whole: written beside it, synced, renamed.
   * Missing folders are made (mode 700); `mode` defaults to 0o600.
   */
  replace(path: string, text: string, mode?: number): Promise<void>;
  /** Creates a file that must not exist, synced; `false` when it already does. Missing folders are made. */
  create(path: string, text: string, mode?: number): Promise<boolean>;
  remove(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, sorted; empty when there is none. */
  list(path: string): Promise<readonly string[]>;
}
