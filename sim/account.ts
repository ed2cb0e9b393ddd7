/** What agents did and were told: nothing of it is read from any node's database. */
export interface Account {
  /** Says that an agent is about to say something, to whomever. */
  saying(agentId: string, content: string): void;
  /** Says that an agent is about to pass on a message of another, as it is. */
  passing(agentId: string, messageId: string): void;
  /** Says that an agent was told its message is with another, or will be. */
  told(message: Told): void;
  /** Says that an agent is about to answer a message. */
  answering(agentId: string, messageId: string, text: string): void;
  /** The sender withdrew it: what has not arrived need not. */
  withdrew(messageId: string): void;
  /** An agent was told that its answer is with the message's author. */
  answered(answer: AnswerTold): void;
  /** An agent's inbox shows a message. */
  showed(agentId: string, messageId: string): void;
  /** Something nobody foresaw: an error of the program, or a broken rule. */
  problem(what: string): void;

  readonly messages: readonly Told[];
  readonly answers: readonly AnswerTold[];
  readonly problems: readonly string[];
  /** Whether the words are the agent's own, or somebody's in a message it passed on. */
  mayHaveSaid(agentId: string, content: string, messageId: string): boolean;
  mayHaveAnswered(agentId: string, messageId: string, text: string): boolean;
  isWithdrawn(messageId: string): boolean;
}

export interface Told {
  readonly messageId: string;
  readonly content: string;
  readonly from: string;
  readonly to: string;
  readonly state: "stored" | "queued";
  readonly atMs: number;
}

export interface AnswerTold {
  readonly messageId: string;
  /** Who answered, and whose message it was. */
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

/** More of a kind say nothing new. */
const PROBLEMS_MAX = 50;

export function createAccount(): Account {
  const messages: Told[] = [];
  const answers: AnswerTold[] = [];
  const problems = new Set<string>();
  const said = new Map<string, Set<string>>();
  const passed = new Set<string>();
  const withdrawn = new Set<string>();
  const done = new Set<string>();

  const account: Account = {
    messages,
    answers,
    get problems() {
      return [...problems];
    },
    saying(agentId, content) {
      const by = said.get(content) ?? new Set();
      said.set(content, by.add(agentId));
    },
    passing: (agentId, messageId) => void passed.add(`${agentId} ${messageId}`),
    told: (message) => void messages.push(message),
    answering: (agentId, messageId, text) => void passed.add(`${agentId} ${messageId} ${text}`),
    mayHaveAnswered: (agentId, messageId, text) => passed.has(`${agentId} ${messageId} ${text}`),
    withdrew: (messageId) => void withdrawn.add(messageId),
    answered(answer) {
      answers.push(answer);
      done.add(`${answer.from} ${answer.messageId}`);
    },
    showed(agentId, messageId) {
      if (done.has(`${agentId} ${messageId}`))
        account.problem(`acted twice: ${short(agentId)} is shown ${messageId}, which it answered`);
    },
    problem(what) {
      if (problems.size < PROBLEMS_MAX) problems.add(what);
    },
    mayHaveSaid(agentId, content, messageId) {
      const by = said.get(content);
      return by !== undefined && (by.has(agentId) || passed.has(`${agentId} ${messageId}`));
    },
    isWithdrawn: (messageId) => withdrawn.has(messageId),
  };
  return account;
}

/** An agent's id as problems name it. */
export const short = (agentId: string): string => agentId.slice(0, 8);
