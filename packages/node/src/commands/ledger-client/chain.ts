import { resolve } from "node:path";
import type { JsonObject } from "@darkmatter/core";
import { nodeFiles } from "@darkmatter/store";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../../errors.ts";
import type { LineageStep, Replayed, ReplayStep, Verified } from "../../ledger-client/answers.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { brief, numberOption, textOption } from "../context.ts";
import { stepsText } from "../history-text.ts";
import { requireFolder } from "../output-folder.ts";
import { NOT_HASHED } from "../verify-text.ts";
import type { AtServer } from "./at-server.ts";
import { brokenChainText, brokenMark, type Told, verifyHint, withoutPayload } from "./broken-text.ts";
import { namedCommit, serverCommit } from "./naming.ts";
import { agreeToPublish, publish } from "./open.ts";
import { valueText } from "./passport-text.ts";

const VALUE_MAX = 2000;

export async function replayAtServer(input: CommandInput, at: AtServer, named: string): Promise<ExitCode> {
  const { client } = at;
  const from = numberOption(input, "from", Number.MAX_SAFE_INTEGER) ?? 1;
  const isFull = input.options.full === true;
  const commit = await namedCommit(client, named);
  const { id } = commit;
  const isOpened = input.options.open === true;
  if (isOpened) await agreeToPublish(input, at, { commit });
  at.progress("replaying");
  const answer = await whole(at, id, isFull ? "full" : "summary");
  const steps = answer.replay.filter(({ step }) => step >= from);
  const lines = steps.flatMap((step) => [replayLine(step), ...(isFull ? outputLines(step) : [])]);
  const human = [
    `${brief(answer.contextId, 40)}: ${stepsText(answer.totalSteps)}, ${answer.chainIntact ? "chain intact" : "CHAIN BROKEN"}`,
    ...lines,
    ...(steps.length === 0 ? [`It has no step ${from}.`] : []),
    ...(answer.chainIntact ? [] : [verifyHint(id)]),
  ];
  const url = isOpened ? await publish(input, at, id) : undefined;
  input.out.result([...human, ...(url ? [url] : [])].join("\n"), {
    ...answer,
    replay: steps,
    ...(url && { url }),
  } as JsonObject);
  return answer.chainIntact ? EXIT_OK : EXIT_FAILURE;
}

/** All pages of a replay as one. */
async function whole({ client, progress }: AtServer, id: string, mode: string): Promise<Replayed> {
  const first = await client.replay(id, { mode });
  const steps = [...first.replay];
  let cursor = first.nextCursor;
  while (cursor) {
    const page = await client.replay(id, { mode, cursor });
    if (page.replay.length === 0) break;
    steps.push(...page.replay);
    progress(`${steps.length} of ${first.totalSteps} steps`);
    cursor = page.nextCursor;
  }
  return { ...first, replay: steps };
}

function replayLine(step: ReplayStep): string {
  const { id, eventType, createdBy, fork_point } = step;
  const model = step.model ?? createdBy?.model ?? "-";
  const fork = fork_point ? `  forked at ${brief(fork_point, 40)}` : "";
  const event = brief(eventType, 24).padEnd(12);
  return `${String(step.step).padStart(3)}  ${brief(id, 40)}  ${event}  ${brief(model, 30).padEnd(14)}  ${brief(createdBy?.agent_name ?? "", 40)}${fork}${brokenMark(toldOf(step))}`.trimEnd();
}

function toldOf({ integrity, payload_pruned_at }: ReplayStep): Told {
  return {
    isBroken: integrity?.chainValid === false || integrity?.verification_status === "broken",
    reason: integrity?.verification_reason,
    isPruned: typeof payload_pruned_at === "string",
  };
}

function outputLines(step: ReplayStep): string[] {
  const { payload } = step;
  if (payload === null || payload === undefined) return [`       ${withoutPayload(toldOf(step))}`];
  const output = (payload as JsonObject).output;
  return [`       ${valueText(output ?? payload, VALUE_MAX)}`];
}

export async function lineageAtServer(
  input: CommandInput,
  { client }: AtServer,
  named: string,
): Promise<ExitCode> {
  const answer = await client.lineage(await serverCommit(client, named));
  const isWhole =
    answer.integrityVerified !== false && answer.chain.every(({ chainValid }) => chainValid !== false);
  const human = [
    ...answer.chain.map(lineageLine),
    `${stepsText(answer.chain.length)}, the last line the first of them${isWhole ? "" : ": CHAIN BROKEN"}`,
    ...(isWhole ? [] : [verifyHint(answer.contextId)]),
  ];
  input.out.result(human.join("\n"), answer as JsonObject);
  return isWhole ? EXIT_OK : EXIT_FAILURE;
}

function lineageLine({ id, eventType, integrityHash, chainValid, reason }: LineageStep): string {
  const hash = integrityHash ? `sha256:${brief(integrityHash, 64)}` : "-";
  const mark = brokenMark({ isBroken: chainValid === false, reason });
  return `${brief(id, 40)}  ${brief(eventType, 24).padEnd(12)}  ${hash}${mark}`;
}

export async function verifyAtServer(input: CommandInput, at: AtServer, named: string): Promise<ExitCode> {
  const id = await serverCommit(at.client, named);
  at.progress("the server checks the chain");
  const answer = await at.client.verify(id);
  const phases = phasesOf(answer);
  const isWhole = answer.chain_intact && phases.every(({ status }) => status !== "FAIL");
  const verdict = isWhole
    ? `${answer.ctx_id}: intact, ${stepsText(answer.length)}`
    : `${answer.ctx_id}: BROKEN at ${answer.broken_at ?? "an unnamed step"}${answer.reason ? ` (${answer.reason})` : ""}`;
  const human = [
    brief(verdict, 400),
    ...phases.map(({ status, name, detail }) => `${status}  ${name.padEnd(10)}  ${brief(detail, 200)}`),
    ...(isWhole ? [NOT_HASHED] : []),
    ...wayOn(answer, at.client.host),
  ];
  input.out.result(human.join("\n"), { verified: isWhole, ...(answer as JsonObject) });
  return isWhole ? EXIT_OK : EXIT_FAILURE;
}

function wayOn({ ctx_id, steps = [] }: Verified, host: string): string[] {
  const unread = steps.filter(({ signature }) => signature === UNREADABLE).length;
  if (unread === 0) {
    return [
      `This is what ${host} says. To check without its word: darkmatter export ${brief(ctx_id, 40)} --server, then darkmatter verify FILE`,
    ];
  }
  return [
    `${host} can no longer read ${stepsText(unread)} of it, and exports no chain that it cannot read. What was exported before still counts: darkmatter verify FILE`,
    "Whoever runs the server finds all that is damaged with darkmatter ledger check, and puts its database back from a backup.",
  ];
}

/** What a server says of the signature in a row that it can no longer read. */
const UNREADABLE = "unreadable";

interface Phase {
  readonly status: "PASS" | "FAIL" | "SKIP";
  readonly name: string;
  readonly detail: string;
}

/** One line for each kind of check; what the server says nothing of was not checked. */
function phasesOf({ steps = [], checkpoint }: Verified): Phase[] {
  const phase = (name: string, judged: (step: (typeof steps)[number]) => boolean | undefined): Phase => {
    const results = steps.map((step) => ({ id: step.id, ok: judged(step) }));
    const failed = results.filter(({ ok }) => ok === false);
    const passed = results.filter(({ ok }) => ok === true).length;
    const skipped = results.length - passed - failed.length;
    const counts = `${passed} passed, ${failed.length} failed, ${skipped} not checked`;
    if (failed[0]) return { status: "FAIL", name, detail: `${failed[0].id}: ${counts}` };
    return { status: passed > 0 ? "PASS" : "SKIP", name, detail: counts };
  };
  return [
    phase("payloads", (step) => step.payload_ok ?? undefined),
    phase("chain", (step) => step.chain_ok ?? undefined),
    phase("envelopes", (step) => step.envelope_ok ?? undefined),
    phase("links", (step) => step.link_ok ?? undefined),
    phase("signatures", (step) => signatureJudged(step.signature)),
    phase("log", (step) => step.in_log ?? undefined),
    checkpoint
      ? { status: "PASS", name: "checkpoint", detail: "a signed checkpoint covers it" }
      : { status: "SKIP", name: "checkpoint", detail: "none covers it yet" },
  ];
}

/** Statuses that ledger.md 2.7 counts; those of which nothing follows are not checked. */
function signatureJudged(signature: unknown): boolean | undefined {
  if (signature === "valid" || signature === "revoked_post_commit") return true;
  if (signature === "invalid" || signature === "revoked_key") return false;
  return undefined;
}

/** Characters of a commit's id in a file's name, as the server names its attachment. */
const NAME_CHARACTERS = 8;

export async function exportAtServer(input: CommandInput, at: AtServer, named: string): Promise<ExitCode> {
  const { options } = input;
  if (textOption(options.disclose) !== undefined || options.bare === true) {
    throw nodeError(
      "USAGE",
      "--disclose and --bare are for this agent's own ledger: a server exports whole payloads.",
    );
  }
  const output = textOption(options.output);
  if (output !== undefined) await requireFolder(resolve(output));
  const isForced = options.force === true;
  if (output !== undefined && !isForced && (await nodeFiles.exists(resolve(output)))) {
    throw nodeError("FILE_EXISTS", `${resolve(output)} exists already.`);
  }
  const id = await serverCommit(at.client, named);
  at.progress("exporting");
  const bytes = await at.client.exported(id);
  const about = aboutExport(bytes, at.client.host);
  const path = resolve(output ?? `darkmatter_ctx_${id.slice(-NAME_CHARACTERS)}.json`);
  const text = new TextDecoder().decode(bytes);
  if (isForced) await nodeFiles.replace(path, text);
  else if (!(await nodeFiles.create(path, text))) throw nodeError("FILE_EXISTS", `${path} exists already.`);
  const fault = about.isIntact ? undefined : await faultOf(at, id);
  input.out.result(
    [
      path,
      `  ${stepsText(about.steps)}, ${Math.ceil(bytes.byteLength / 1000)} kB, from ${at.client.host}`,
      `  export hash  ${about.export_hash}`,
      `  tip          ${about.tip_hash}`,
      ...(fault === undefined
        ? [
            "Anybody can check it: darkmatter verify FILE, or with code that is not ours: interop/verify.py FILE",
          ]
        : [`${fault}. No check of this file will pass.`, verifyHint(id)]),
    ].join("\n"),
    {
      file: path,
      server: at.client.host,
      ...about.said,
      chain_intact: about.isIntact,
      ...(fault && { fault }),
    },
  );
  return about.isIntact ? EXIT_OK : EXIT_FAILURE;
}

/** What is wrong with a chain whose export says that something is. */
async function faultOf({ client, progress }: AtServer, id: string): Promise<string> {
  progress("asking what is wrong with the chain");
  const found = await client.verify(id);
  // Nothing, where it was put right since.
  return brokenChainText(found.chain_intact ? { ctx_id: id } : found);
}

/** @throws SERVER_STRANGE */
function aboutExport(bytes: Uint8Array, host: string) {
  try {
    const { export_hash, integrity, metadata } = JSON.parse(new TextDecoder().decode(bytes));
    const said = {
      commit: brief(metadata.ctx_id, 40),
      steps: Number(metadata.chain_length),
      export_hash: brief(export_hash, 80),
      tip_hash: brief(integrity.tip_hash, 80),
    };
    return { ...said, said, isIntact: integrity.chain_intact === true };
  } catch (error) {
    throw clientError("SERVER_STRANGE", `${host} answers with something that is no export.`, error);
  }
}
