import { once } from "node:events";
import { join } from "node:path";
import { endChild, startChild } from "./home.ts";

/** What the clients are told to do: commits where there is an agent, signed messages to a probe where there is none. */
export interface CommitRound {
  /** Servers of one database; each gets its share. */
  readonly urls: readonly string[];
  readonly agent?: { readonly agentId: string; readonly apiKey: string } | undefined;
  readonly count: number;
  readonly inFlight: number;
}

export interface CommitRoundOutcome {
  /** From the first byte sent to the last answer. */
  readonly tookMs: number;
  /** From request to answer, one by one, in ms. */
  readonly latencies: readonly number[];
  /** What was answered otherwise than 200. */
  readonly refusals: readonly string[];
}

/** The clients of a ledger server, in a process of their own. */
export interface CommitLoad extends AsyncDisposable {
  /** PEM: the key that commits are signed with. */
  readonly publicKey: string;
  /** Throws when something was refused, or a proof does not hold. */
  round(round: CommitRound): Promise<CommitRoundOutcome>;
}

export async function startCommitLoad(): Promise<CommitLoad> {
  const script = join(import.meta.dirname, "..", "children", "commit-load.ts");
  const child = startChild(script, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const answer = <T>() => new Promise<T>((heard) => child.once("message", (told) => heard(told as T)));
  const publicKey = await answer<string>();
  const ended = once(child, "exit").then((): never => {
    throw new Error("The clients ended.");
  });
  // At the end it is meant to.
  ended.catch(() => undefined);
  return {
    publicKey,
    async round(round) {
      child.send(round);
      const outcome = await Promise.race([answer<CommitRoundOutcome>(), ended]);
      const [refusal] = outcome.refusals;
      if (refusal) throw new Error(`${round.count - outcome.latencies.length} refused, such as: ${refusal}`);
      return outcome;
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}
