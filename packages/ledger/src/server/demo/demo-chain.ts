import type { Random } from "@darkmatter/core";
import type { Write } from "@darkmatter/store";
import { secondsTime } from "../../times.ts";
import { insertAccount } from "../accounts/accounts.store.ts";
import { type MadeAgent, makeAgent, NO_META } from "../agents/new-agent.ts";
import { appendCommit } from "../commits/append.ts";
import { NO_CLAIMS, type StoredCommit } from "../commits/commit.ts";
import { draftOf, storedOf } from "../commits/new-commit.ts";

/** No address, so nobody can sign up, log in or be sent a link under it. */
export const DEMO_EMAIL = "demo";

const TRACE = "trc_demo";

interface DemoStep {
  readonly agent: "research" | "writer" | "reviewer";
  readonly model: string;
  readonly provider: string;
  readonly event: string;
  readonly branch?: string;
  /** It forks the chain as it stands, from the step before. */
  readonly isFork?: boolean;
  readonly payload: { readonly input: string; readonly output: string };
}

const STEPS: readonly DemoStep[] = [
  {
    agent: "research",
    model: "claude-sonnet-4-5",
    provider: "anthropic",
    event: "commit",
    payload: {
      input: "What should a team record of what its agents do?",
      output: "Who did what, with what input and output, in which order, so that nobody can change it later.",
    },
  },
  {
    agent: "writer",
    model: "gpt-4o",
    provider: "openai",
    event: "commit",
    payload: { input: "Write it up in a sentence.", output: "An agent's work should leave a record." },
  },
  {
    agent: "writer",
    model: "gpt-4o-mini",
    provider: "openai",
    event: "fork",
    branch: "smaller-model",
    isFork: true,
    payload: {
      input: "Try again with a smaller model.",
      output: "Agents should keep records of their work.",
    },
  },
  {
    agent: "writer",
    model: "gpt-4o-mini",
    provider: "openai",
    event: "commit",
    branch: "smaller-model",
    payload: {
      input: "Say what the record is good for.",
      output: "Agents should keep records of their work, so that others can check it.",
    },
  },
  {
    agent: "reviewer",
    model: "claude-sonnet-4-5",
    provider: "anthropic",
    event: "checkpoint",
    branch: "smaller-model",
    payload: { input: "Is this right?", output: "Approved: short, and it says why." },
  },
];

/**
 * The chain of ledger.md 3.15, in an account of its own, by the code that makes every commit; nothing where it is there
 * already, whoever made it.
 */
export async function makeDemo(tx: Write, nowMs: number, random: Random): Promise<void> {
  const account = await insertAccount(tx, { email: DEMO_EMAIL, password: null, createdMs: nowMs });
  if (account === undefined) return;
  const agents = new Map<string, MadeAgent>();
  for (const name of ["research", "writer", "reviewer"]) {
    const agent = {
      ...NO_META,
      account,
      name,
      madeBy: "provision",
      spawnedBy: null,
      createdMs: nowMs,
    } as const;
    // Its key is told to nobody, this program included.
    agents.set(name, await makeAgent(tx, agent, random));
  }
  let parent: StoredCommit | undefined;
  for (const [at, step] of STEPS.entries()) {
    const by = agents.get(step.agent);
    const to = agents.get(STEPS[at + 1]?.agent ?? step.agent);
    if (!by || !to) throw new TypeError("a step of the demo is of no agent");
    const draft = draftOf(
      {
        by: { kind: "key", account, agentId: by.id, agentName: by.name },
        to,
        parent,
        trace: TRACE,
        branch: step.branch ?? "main",
        event: step.event,
        role: step.agent,
        provider: step.provider,
        model: step.model,
        timestamp: secondsTime(nowMs),
        keyId: "default",
        payload: JSON.stringify(step.payload),
        claims: NO_CLAIMS,
        ...(step.isFork && parent ? { fork: { of: parent.id, point: parent.id } } : {}),
      },
      nowMs,
      random,
    );
    parent = storedOf(draft, await appendCommit(tx, draft));
  }
}
