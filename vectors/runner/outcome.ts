import type { Json } from "@darkmatter/core";
import { differences, type Manner } from "./compare.ts";

/** What became of one case. */
export interface Outcome {
  readonly name: string;
  readonly problems: readonly string[];
}

/** Collects what a case found wrong; a case goes on after a finding, so that one run shows all. */
export interface Findings {
  wrong(problem: string): void;
  holds(what: string, ok: boolean): void;
  equal(what: string, actual: unknown, expected: unknown): void;
  /** Everything expected is there; what else is there is compared in the manner given. */
  like(what: string, actual: Json | undefined, expected: Json, manner?: Manner): void;
}

/** The cases of one file, run one after another. */
export type Kind = (document: Json) => AsyncIterable<Outcome>;

/** Runs one case. What it throws is a finding too. */
export async function ran(name: string, body: (found: Findings) => unknown): Promise<Outcome> {
  const problems: string[] = [];
  const wrong = (problem: string) => void problems.push(problem);
  const found: Findings = {
    wrong,
    holds: (what, ok) => ok || wrong(what),
    equal(what, actual, expected) {
      if (!Object.is(actual, expected)) wrong(`${what}: ${shown(actual)} instead of ${shown(expected)}`);
    },
    like(what, actual, expected, manner) {
      for (const problem of differences(actual, expected, manner)) wrong(`${what}${problem}`);
    },
  };
  try {
    await body(found);
  } catch (error) {
    wrong(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { name, problems };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
