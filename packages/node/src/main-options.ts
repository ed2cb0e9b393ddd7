import type { OwningOptions } from "./adapters/owning.ts";

/** What a test replaces: what the node is made of, and its version. */
export type MainOptions = Pick<OwningOptions, "assembly" | "version">;
