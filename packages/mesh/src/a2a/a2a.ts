import type { Write } from "@darkmatter/store";
import type { MeshPorts } from "../ports.ts";
import type { Changes } from "../status/changes.ts";
import { type Callers, createCallers } from "./callers.ts";
import { type Call, type CallAnswer, createCalls } from "./calls.ts";
import { type CardFor, createCards } from "./card.ts";
import { createFollowing } from "./following.ts";
import { createLocalAnswers, type LocalAnswers } from "./local-answers.ts";
import { dropOld } from "./tasks.store.ts";
import { createTasks, type TaskServices } from "./tasks.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** The agent for ordinary A2A clients: whoever holds a token leaves a message and gets its answer (docs/society.md). */
export interface A2a {
  readonly tokens: Tokens;
  readonly callers: Callers;
  readonly card: CardFor;
  /** Answers in the place of a caller's webhook. */
  readonly answers: LocalAnswers;
  call(call: Call): Promise<CallAnswer>;
  /** Forgets tasks that ended and began before; how many. */
  forget(tx: Write, beforeMs: number): Promise<number>;
  /** Ends what is being streamed and waited for. */
  stop(): void;
}

export function createA2a(
  ports: MeshPorts,
  changes: Changes,
  services: Pick<TaskServices, "isActive" | "onStored">,
): A2a {
  const changed = () => {
    changes.touch();
    following.wake();
  };
  const tokens = createTokens(ports);
  const tasks = createTasks(ports, { ...services, changed });
  const following = createFollowing(ports.clock, changes, tasks.look);
  return {
    tokens,
    callers: createCallers(ports, tokens),
    card: createCards(ports.signer),
    answers: createLocalAnswers(ports, changed),
    call: createCalls(tasks, following),
    forget: dropOld,
    stop: following.stop,
  };
}
