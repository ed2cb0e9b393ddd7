export const CLIENTS = ["claude-code", "cursor", "gemini", "codex", "kimi", "opencode", "openclaw"] as const;
export type ClientName = (typeof CLIENTS)[number];
export const ROUTER_MODES = ["spawn", "rules_first", "rules_only", "queue_only"] as const;
export type RouterMode = (typeof ROUTER_MODES)[number];

/** What the owner allows to be started for a message, and how. */
export interface AgentSettings {
  readonly enabled: boolean;
  readonly maxConcurrent: number;
  readonly maxPerHour: number;
  readonly timeoutMs: number;
  /** Only for peers scored at least this. */
  readonly minTrust: number;
  /** The client's own flags that skip its permission prompts, instead of the least privilege. */
  readonly autonomous: boolean;
  /** In the place of the profile's; `undefined` takes the profile's. */
  readonly command: string | undefined;
  readonly args: readonly string[] | undefined;
  /** Variables the child does not get; `undefined` takes the profile's. */
  readonly envCleanup: readonly string[] | undefined;
}
