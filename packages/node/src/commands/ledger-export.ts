import { resolve } from "node:path";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { type BundleRequest, countsText, type MadeBundle, madeJson, makeBundle } from "./bundle-making.ts";
import { commitJson, commitNamed } from "./commit-naming.ts";
import { brief, owningOptions, textOption } from "./context.ts";
import { OWN_OR_SERVER_OPTIONS, ownOrServer } from "./ledger-client/own-or-server.ts";
import { COMMIT } from "./ledger-history.ts";
import { chainSteps, lookingAtLedger } from "./ledger-look.ts";
import { requireFolder } from "./output-folder.ts";

const FILE_OPTIONS = [
  { flags: "-o, --output <file>", summary: "where to (default: darkmatter_ctx_….json in this folder)" },
  { flags: "--force", summary: "replace a file that is there" },
];
/** Characters of a commit's id in a file's name: the end of its random part. */
const NAME_CHARACTERS = 8;

/** `export` and `disclose`: one conversation as a file that anybody can check. */
export function exportCommands(main: MainOptions): Command[] {
  return [
    {
      name: "export",
      summary: "write a conversation as a file that anybody can check",
      arguments: [COMMIT],
      options: [
        ...FILE_OPTIONS,
        { flags: "--disclose <names>", summary: "fields to show, such as content,metadata, or all" },
        { flags: "--bare", summary: "leave out even the signatures and receipts of the peers" },
        ...OWN_OR_SERVER_OPTIONS,
      ],
      run: (input) => {
        const commit = input.args.commit ?? "";
        const disclose = namesIn(textOption(input.options.disclose));
        return ownOrServer(input, commit, {
          own: () => writeBundle(input, main, { commit, disclose, bare: input.options.bare === true }),
          server: async () => (await import("./ledger-client/asked.ts")).exported(input, commit),
        });
      },
    },
    {
      name: "disclose",
      summary: "the same with just these fields shown; --list says which there are",
      arguments: [COMMIT, { name: "field...", required: false, summary: "such as content; or all" }],
      options: [
        ...FILE_OPTIONS,
        { flags: "--list", summary: "only say which fields are held and which erased" },
      ],
      run: (input) => disclose(input, main),
    },
  ];
}

function namesIn(given: string | undefined): BundleRequest["disclose"] {
  const names = (given ?? "").split(",").map((name) => name.trim());
  return disclosedOf(names.filter((name) => name !== ""));
}

const disclosedOf = (names: readonly string[]) => (names.includes("all") ? "all" : names);

async function disclose(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const names = input.lists.field ?? [];
  if (input.options.list === true) return listFields(input, main);
  if (names.length === 0) {
    throw nodeError("USAGE", "Say which fields to show, or --list to see which there are.");
  }
  return writeBundle(input, main, {
    commit: input.args.commit ?? "",
    disclose: disclosedOf(names),
    bare: false,
  });
}

async function writeBundle(
  input: CommandInput,
  main: MainOptions,
  request: BundleRequest,
): Promise<ExitCode> {
  const named = textOption(input.options.output);
  const isForced = input.options.force === true;
  // Before anything is signed for it.
  if (named !== undefined) await requireFolder(resolve(named));
  if (named !== undefined && !isForced) await refuseTaken(resolve(named));
  const made = await makeBundle({ ...owningOptions(input, main), signal: input.signal }, request);
  const path = resolve(named ?? `darkmatter_ctx_${made.ctxId.slice(-NAME_CHARACTERS)}.json`);
  await placeBundle(path, made.text, isForced);
  input.out.result(madeText(path, made), { file: path, ...madeJson(made) });
  return EXIT_OK;
}

/** For its owner's eyes alone: what is disclosed is up to whom it is handed. @throws FILE_EXISTS */
async function placeBundle(path: string, text: string, isForced: boolean): Promise<void> {
  if (isForced) return nodeFiles.replace(path, text);
  if (!(await nodeFiles.create(path, text))) throw nodeError("FILE_EXISTS", `${path} exists already.`);
}

async function refuseTaken(path: string): Promise<void> {
  if (await nodeFiles.exists(path)) throw nodeError("FILE_EXISTS", `${path} exists already.`);
}

function madeText(path: string, made: MadeBundle): string {
  const { steps, trace, witnesses } = made;
  const witnessed = witnesses === 0 ? "witnessed by nobody yet" : `witnessed by ${witnesses}`;
  return [
    path,
    `  ${steps === 1 ? "1 step" : `${steps} steps`} of ${brief(trace, 128)}, ${Math.ceil(made.text.length / 1000)} kB`,
    `  export hash  ${made.exportHash}`,
    `  tip          sha256:${made.tipHash}`,
    `  checkpoint   ${made.checkpointId} of ${made.checkpointSize} commits, ${witnessed}`,
    `  disclosed    ${brief(countsText(made.open), 500)}`,
    `  closed       ${brief(countsText(made.closed), 500)}`,
    "Anybody can check it: darkmatter verify FILE, or with code that is not ours: interop/verify.py FILE",
  ].join("\n");
}

async function listFields(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const steps = await lookingAtLedger(input, main, async (look) => {
    const tip = await commitNamed(look, input.args.commit ?? "");
    return chainSteps(look, tip.id);
  });
  const lines = steps.flatMap(({ commit, payload, fields, erasures }) => [
    `${commit.id}  ${brief(payload?.act ?? "", 24)}`,
    ...fields.map(({ name }) => `  ${brief(name, 40)}: held`),
    ...erasures.map(
      ({ name, erasedMs }) => `  ${brief(name, 40)}: erased ${new Date(erasedMs).toISOString()}`,
    ),
  ]);
  const commits = steps.map(({ commit, payload, fields, erasures }) => ({
    ...commitJson(commit, payload),
    held: fields.map(({ name }) => name),
    erased: erasures.map(({ name }) => name),
  }));
  input.out.result(lines.join("\n"), { commits });
  return EXIT_OK;
}
