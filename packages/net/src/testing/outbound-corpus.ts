import { readFileSync } from "node:fs";

export type OutboundVerdict = "refused" | "allowed";

/** A URL somebody might give a node, and what has to become of it. */
export interface OutboundCase {
  readonly trick: string;
  readonly url: string;
  readonly public: OutboundVerdict;
  readonly private: OutboundVerdict;
  /** What the host's name resolves to at the first lookup, the second, and so on. */
  readonly resolves?: readonly (readonly string[])[];
  /** The only addresses that may be tried. */
  readonly connects?: Readonly<Partial<Record<"public" | "private", readonly string[]>>>;
}

/** Where a public host sends its callers on to. */
export interface RedirectCase {
  readonly trick: string;
  readonly location: string;
  readonly public: OutboundVerdict;
  readonly private: OutboundVerdict;
}

export interface OutboundCorpus {
  readonly cases: readonly OutboundCase[];
  readonly redirects: readonly RedirectCase[];
}

export function outboundCorpus(): OutboundCorpus {
  return JSON.parse(
    readFileSync(new URL("./outbound-corpus.json", import.meta.url), "utf8"),
  ) as OutboundCorpus;
}
