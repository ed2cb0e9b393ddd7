/** What a client says of its commit; the server's own values are never replaced by it (ledger.md 2.5). */
export interface Claims {
  /** Texts of JSON as they were sent, written back token by token. */
  readonly metadata?: string;
  readonly attestation?: string;
  readonly envelope?: string;
  /** Hex. */
  readonly agentSignature?: string;
  /** SPKI PEM. */
  readonly agentPublicKey?: string;
  /** Whether all claimed hashes are the server's; `null` when none was claimed. */
  readonly clientMatch: boolean | null;
  readonly signatureStatus: SignatureStatus;
  readonly completenessClaim: boolean | null;
  /** An attestation by a registered key holds (2.9). */
  readonly clientSigned: boolean;
  /** What the client was told about its claims, besides that its commit was taken. */
  readonly warnings?: readonly string[];
  /** Its clock was more than five minutes from the server's. */
  readonly isSkewed?: boolean;
}

export type SignatureStatus = "valid" | "none" | "no_key" | "envelope_mismatch" | "unregistered_key";

export const NO_CLAIMS: Claims = {
  clientMatch: null,
  signatureStatus: "none",
  completenessClaim: null,
  clientSigned: false,
};

/** A commit but for its place in the log: known before anything is locked. Hashes are bare hex. */
export interface CommitDraft {
  readonly id: string;
  readonly account: number;
  readonly agent: string;
  readonly agentName: string;
  readonly toAgent: string;
  readonly toAgentName: string;
  readonly trace: string | null;
  readonly branch: string;
  readonly parent: ParentCommit | undefined;
  readonly forkOf: string | null;
  readonly forkPoint: string | null;
  /** One of `EVENT_TYPES`. */
  readonly event: string;
  /** What the caller called it, when that is none of them. */
  readonly label: string | null;
  readonly role: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  /** The client's time: `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly timestamp: string;
  readonly keyId: string;
  readonly acceptedMs: number;
  /** The text as it was sent. */
  readonly payload: string;
  readonly payloadHash: string;
  /** Scheme 1. */
  readonly chainHash: string;
  /** Scheme 2. */
  readonly integrityHash: string;
  readonly claims: Claims;
}

/** What a commit has to know of the one it follows. */
export interface ParentCommit {
  readonly position: number;
  readonly id: string;
  readonly root: number;
  readonly rootId: string;
  /** From 1. */
  readonly depth: number;
  readonly chainHash: string;
  readonly integrityHash: string;
}

/** A commit as it lies in the log. */
export interface StoredCommit extends Omit<CommitDraft, "parent" | "payload"> {
  /** From 0; also its leaf's index, and the order of commits. */
  readonly position: number;
  readonly parent: number | null;
  readonly parentId: string | null;
  /** Hashes of the parent's row; `null` for a root. */
  readonly parentChainHash: string | null;
  readonly parentIntegrityHash: string | null;
  /** Position of its chain's first commit; its own for a root. */
  readonly root: number;
  readonly rootId: string;
  /** Steps from the root to it, itself counted. */
  readonly depth: number;
  /** `null` once it was pruned. */
  readonly payload: string | null;
  readonly prunedMs: number | null;
  readonly leaf: string;
  readonly logRoot: string;
}

/** Event types (ledger.md 1.3); any other is stored as `commit` with its name as label. */
export const EVENT_TYPES: ReadonlySet<string> = new Set(
  "commit fork checkpoint revert retry error spawn merge branch timeout override consent escalate redact audit".split(
    " ",
  ),
);
