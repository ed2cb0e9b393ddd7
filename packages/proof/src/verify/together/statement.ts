import type { BundleReport, Verdict } from "../report.ts";

/** By what a statement is proven, beside the signature of the agent that wrote it. */
export type Proof =
  /** It lies under a checkpoint its agent's log signed; `witnesses` are who else signed that. */
  | {
      readonly kind: "checkpoint";
      readonly id: string;
      readonly size: number;
      readonly witnesses: readonly string[];
    }
  /** The other side wrote the same act down, and one of both names the other's commit. */
  | { readonly kind: "other side"; readonly agentId: string; readonly commit: string; readonly file: string }
  /** The sender's signature over the message, kept by who got it. */
  | { readonly kind: "signature"; readonly agentId: string; readonly scheme: string; readonly file: string }
  /** A signed receipt for the message. */
  | {
      readonly kind: "receipt";
      readonly agentId: string;
      readonly rung: string;
      readonly at: string;
      readonly file: string;
    };

/** Who did what to whom: one commit, with what the files together prove of it. */
export interface Statement {
  /** Id of the commit. */
  readonly id: string;
  /** Bare scheme 2. */
  readonly commit: string;
  readonly file: string;
  readonly agentId: string;
  /** The agent's word. */
  readonly agentName: string;
  readonly act: string;
  readonly peer: string | null;
  readonly messageId: string | null;
  /** The agent's clock: `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly at: string;
  readonly position: number;
  /** What was said, of an answer the response; `null` when it stays closed or there is none. */
  readonly content: string | null;
  /** Every field disclosed: a string as it is, anything else as its canon-1 text. */
  readonly disclosed: readonly { readonly name: string; readonly value: string }[];
  readonly provenBy: readonly Proof[];
  /** Sentences. */
  readonly notProven: readonly string[];
}

/** Where the files contradict each other, or one of them fails. */
export interface Problem {
  readonly files: readonly string[];
  readonly agentId: string | null;
  /** Bare scheme 2. */
  readonly commit: string | null;
  readonly what: string;
}

export interface TogetherReport {
  readonly verdict: Verdict;
  readonly bundles: readonly { readonly name: string; readonly report: BundleReport }[];
  /** In the order they happened: within a log by position, and what a commit names before it. */
  readonly statements: readonly Statement[];
  readonly problems: readonly Problem[];
  readonly notProven: readonly string[];
}
