/** How this program introduces itself to a client. */
export interface McpIdentity {
  readonly name: string;
  readonly title?: string;
  readonly version: string;
}

/** In a request's `_meta`: which call this is, so that a repeated one is answered and not done again. */
export const CALL_ID_META_KEY = "darkmatter/call";
