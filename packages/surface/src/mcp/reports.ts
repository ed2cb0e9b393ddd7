/** What went wrong in a session, for the log. Holds neither parameters nor results. */
export interface McpReport {
  readonly session: string;
  /** The tool that failed; `undefined` for the protocol around it. */
  readonly tool: string | undefined;
  readonly error: unknown;
}

export type McpOnError = (report: McpReport) => void;
