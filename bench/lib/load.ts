import { once } from "node:events";
import { join } from "node:path";
import { endChild, startChild } from "./home.ts";

/** What the process that sends is told to do. */
export type Command =
  | { readonly kind: "connect"; readonly url: string }
  | {
      readonly kind: "round";
      readonly url: string;
      readonly count: number;
      readonly inFlight: number;
      /** Whether the receiver calls the messages' webhooks: the round ends with the last call. */
      readonly callbacks: boolean;
    };

export interface RoundOutcome {
  /** From the first byte sent to the last answer. */
  readonly acceptedMs: number;
  /** The same to the last `received` call as well, where the receiver makes them. */
  readonly settledMs: number;
  readonly accepted: number;
  readonly called: number;
  /** Milliseconds from request to answer, one by one; only with one in flight. */
  readonly latencies: readonly number[];
  /** What was answered otherwise than 200. */
  readonly refusals: readonly string[];
}

/** The agent that sends, in a process of its own. */
export interface Load extends AsyncDisposable {
  connect(url: string): Promise<void>;
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
    async connect(url) {
      if (!(await ask<boolean>({ kind: "connect", url }))) throw new Error("The node did not connect.");
    },
    async round(command) {
      const outcome = await ask<RoundOutcome>({ kind: "round", ...command });
      const [refusal] = outcome.refusals;
      if (refusal) throw new Error(`${command.count - outcome.accepted} refused, such as: ${refusal}`);
      return outcome;
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}
