/** A file of lines that is only added to. One process at a time has it. */
export interface LinesFile {
  /** All of it, as text. */
  read(): Promise<string>;
  /** Adds a line; it is on disk when this resolves. What was half written is taken back before it rejects. */
  append(line: string): Promise<void>;
  /** Cuts off what comes after the first so many bytes: a line that a crash left half written. */
  cut(bytes: number): Promise<void>;
  close(): Promise<void>;
}
