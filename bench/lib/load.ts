import { once } from "node:events";
import { join } from "node:path";
import { endChild, startChild } from "./home.ts";

/** What the process that sends is told to do. */
export type Command =
  | { readonly kind: "connect"; readonly url: string; readonly receipts: boolean }
  | {
      readonly kind: "round";
      readonly url: string;
      readonly count: number;
      readonly inFlight: number;
      /** Whether the receiver calls the messages' webhooks: the round ends with the last call. */
      readonly callbacks: boolean;
      /** Whether the messages name a commit of ours and ask for receipts: `received` is not called then. */
      readonly receipts?: boolean | undefined;
    };

export interface RoundOutcome {
  /** From the first byte sent to the last answer. */
  readonly acceptedMs: number;
  /** The same to the last `received` call as well, where the receiver makes them. */
  readonly settledMs: number;
  readonly accepted: number;
  readonly called: number;
  /** Answers that carried a receipt, of which a sample was verified. */
  readonly receipts: number;
  /** Milliseconds from request to answer, one by one; only with one in flight. */
  readonly latencies: readonly number[];
  /** What was answered otherwise than 200. */
  readonly refusals: readonly string[];
}

/** The agent that sends, in a process of its own. */
export interface Load extends AsyncDisposable {
  /** `receipts`: it announces that it takes receipts and keeps a ledger. */
  connect(url: string, options?: { readonly receipts?: boolean }): Promise<void>;
  /** Sends messages and resolves when all are answered. Throws when one was refused. */
  round(command: Omit<Extract<Command, { kind: "round" }>, "kind">): Promise<RoundOutcome>;
}

export async function startLoad(): Promise<Load> {
  const script = join(import.meta.dirname, "..", "children", "load.ts");
  const child = startChild(script, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const ask = async <T>(command: Command): Promise<T> => {
    child.send(command);
    const [answer] = (await once(child, "message")) as [T];
    return answer;
  };
  await once(child, "message");
  return {
    async connect(url, { receipts = false } = {}) {
      if (!(await ask<boolean>({ kind: "connect", url, receipts })))
        throw new Error("The node did not connect.");
    },
    async round(command) {
      const outcome = await ask<RoundOutcome>({ kind: "round", ...command });
      const [refusal] = outcome.refusals;
      if (refusal) throw new Error(`${command.count - outcome.accepted} refused, such as: ${refusal}`);
      if (command.receipts && outcome.receipts !== outcome.accepted) {
        throw new Error(`${outcome.accepted} messages accepted, ${outcome.receipts} with a receipt`);
      }
      return outcome;
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}
