import { systemClock } from "@darkmatter/core";
import type { Commit } from "@darkmatter/ledger";
import { type Command, type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { actText, commitJson, commitNamed } from "./commit-naming.ts";
import { brief, numberOption, shortId } from "./context.ts";
import { ageText, RECENT_DEFAULT, stepsText } from "./history-text.ts";
import { OWN_OR_SERVER_OPTIONS, ownOrServer } from "./ledger-client/own-or-server.ts";
import {
  type ChainStep,
  type CheckedCommit,
  chainSteps,
  checkedCommit,
  lookingAtLedger,
} from "./ledger-look.ts";

export const COMMIT = {
  name: "commit",
  required: true,
  summary: "a number in `recent`, a commit's id, or a message's id for the latest about it",
};
const RECENT_MAX = 10_000;
/** Characters of a field's value that are shown. */
const VALUE_MAX = 2000;

/** What happened: `recent`, `replay` and `lineage`. They read the database alone. */
export function historyCommands(main: MainOptions): Command[] {
  return [
    {
      name: "recent",
      summary: "the latest commits of this agent's ledger, each of them checked",
      arguments: [],
      options: [
        { flags: "--limit <number>", summary: `how many (default: ${RECENT_DEFAULT})` },
        ...OWN_OR_SERVER_OPTIONS,
      ],
      run: (input) =>
        ownOrServer(input, undefined, {
          own: () => recent(input, main),
          server: async () => (await atTheServer()).recent(input),
        }),
    },
    {
      name: "replay",
      summary: "a conversation step by step, up to a commit",
      arguments: [COMMIT],
      options: [
        { flags: "--from <step>", summary: "begin with this step" },
        { flags: "--full", summary: "show what is still kept of each step" },
        { flags: "--open", summary: "at a server: publish it and show it in the browser" },
        { flags: "-y, --yes", summary: "the same without asking first" },
        ...OWN_OR_SERVER_OPTIONS,
      ],
      run: (input) => ofChain(input, main, { own: replay, server: "replay" }),
    },
    {
      name: "lineage",
      summary: "the commits that a commit stands on, with their hashes, itself first",
      arguments: [COMMIT],
      options: [...OWN_OR_SERVER_OPTIONS],
      run: (input) => ofChain(input, main, { own: lineage, server: "lineage" }),
    },
  ];
}

const atTheServer = () => import("./ledger-client/asked.ts");

interface Answers {
  readonly own: (input: CommandInput, main: MainOptions) => Promise<ExitCode>;
  readonly server: "replay" | "lineage";
}

function ofChain(input: CommandInput, main: MainOptions, { own, server }: Answers): Promise<ExitCode> {
  const named = input.args.commit ?? "";
  return ownOrServer(input, named, {
    own: () => own(input, main),
    server: async () => (await atTheServer())[server](input, named),
  });
}

async function recent(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const limit = numberOption(input, "limit", RECENT_MAX) ?? RECENT_DEFAULT;
  const rows = await lookingAtLedger(input, main, async (look) => {
    const checked: CheckedCommit[] = [];
    for (const commit of await look.ledger.commits.recent(look.db, limit)) {
      checked.push(await checkedCommit(look, commit));
    }
    return checked;
  });
  const isWhole = rows.every(isSound);
  const nowMs = systemClock.now();
  const lines = rows.map((row, at) => recentLine(row, at + 1, nowMs));
  const human =
    rows.length === 0
      ? "Nothing was committed yet: connect to an agent, or send a message."
      : [...lines, "", hintAfter(isWhole)].join("\n");
  const commits = rows.map(({ commit, payload, problems }, at) => ({
    index: at + 1,
    ...commitJson(commit, payload),
    valid: problems.length === 0,
    ...(problems.length > 0 && { problems: [...problems] }),
  }));
  input.out.result(human, { commits });
  return isWhole ? EXIT_OK : EXIT_FAILURE;
}

const isSound = ({ problems }: Pick<CheckedCommit, "problems">) => problems.length === 0;

function hintAfter(isWhole: boolean): string {
  return isWhole
    ? "Step by step: darkmatter replay NUMBER · as proof: darkmatter export NUMBER"
    : "A commit is not what its hashes say. Look through the whole ledger: darkmatter fsck";
}

/** `  1  ✓     12 s  ctx_…  message.sent        4a9c0e11aa22  msg-…` */
function recentLine({ commit, payload, problems }: CheckedCommit, index: number, nowMs: number): string {
  const mark = problems.length === 0 ? "✓" : "✗";
  const age = ageText(nowMs - commit.acceptedMs).padStart(7);
  const why = problems.length === 0 ? "" : `  (${problems.join(", ")})`;
  return `${String(index).padStart(3)}  ${mark}  ${age}  ${commit.id}  ${actText(payload)}  ${traceText(commit)}${why}`;
}

/** A trace that is an agent is told as agents are elsewhere. */
function traceText({ trace }: Commit): string {
  return /^[0-9a-f]{64}$/.test(trace) ? shortId(trace) : brief(trace, 60);
}

async function replay(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const from = numberOption(input, "from", Number.MAX_SAFE_INTEGER) ?? 1;
  const isFull = input.options.full === true;
  const chain = await lookingAtLedger(input, main, async (look) => {
    const tip = await commitNamed(look, input.args.commit ?? "");
    return chainSteps(look, tip.id);
  });
  const steps = chain.map((step, at) => ({ ...step, number: at + 1 })).slice(from - 1);
  const lines = steps.flatMap((step) => [stepLine(step), ...(isFull ? fieldLines(step) : [])]);
  const missing = steps.length === 0 ? [`It has no step ${from}.`] : [];
  const human = [`${brief(chain[0]?.commit.trace, 128)}: ${stepsText(chain.length)}`, ...lines, ...missing];
  input.out.result(human.join("\n"), {
    trace: chain[0]?.commit.trace ?? null,
    length: chain.length,
    steps: steps.map((step) => ({
      step: step.number,
      ...commitJson(step.commit, step.payload),
      valid: isSound(step),
      ...(isFull && { fields: fieldsJson(step) }),
    })),
  });
  return chain.every(isSound) ? EXIT_OK : EXIT_FAILURE;
}

function stepLine({ number, ...step }: ChainStep & { readonly number: number }): string {
  const { commit, payload } = step;
  const at = `${new Date(commit.acceptedMs).toISOString().slice(0, 19)}Z`;
  return `${String(number).padStart(3)}  ${commit.id}  ${actText(payload)}  ${at}${isSound(step) ? "" : BROKEN}`;
}

const BROKEN = "  ✗ not what its hashes say";

function fieldLines({ fields, erasures }: ChainStep): string[] {
  return [
    ...fields.map(
      ({ name, value }) => `       ${brief(name, 40)}: ${brief(JSON.stringify(value), VALUE_MAX)}`,
    ),
    ...erasures.map(
      ({ name, erasedMs }) => `       ${brief(name, 40)}: erased ${new Date(erasedMs).toISOString()}`,
    ),
  ];
}

function fieldsJson({ fields, erasures }: ChainStep) {
  return [
    ...fields.map(({ name, value }) => ({ name, value })),
    ...erasures.map(({ name, erasedMs }) => ({ name, erased_at: new Date(erasedMs).toISOString() })),
  ];
}

async function lineage(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const chain = await lookingAtLedger(input, main, async (look) => {
    const tip = await commitNamed(look, input.args.commit ?? "");
    return (await chainSteps(look, tip.id)).reverse();
  });
  const trace = chain[0]?.commit.trace ?? null;
  const human = [
    ...chain.map(lineageLine),
    `${stepsText(chain.length)} of ${brief(trace, 128)}, the last line its first`,
  ];
  input.out.result(human.join("\n"), {
    trace,
    length: chain.length,
    commits: chain.map((step) => ({
      ...commitJson(step.commit, step.payload),
      chain_hash: step.commit.chainHash,
      log_root: step.commit.logRoot,
      valid: isSound(step),
    })),
  });
  return chain.every(isSound) ? EXIT_OK : EXIT_FAILURE;
}

function lineageLine(step: ChainStep): string {
  const { commit, payload } = step;
  const act = brief(payload?.act ?? "(cannot be read)", 24).padEnd(18);
  return `${commit.id}  ${act}  sha256:${commit.integrityHash}${isSound(step) ? "" : BROKEN}`;
}
