import { runningSha256 } from "@darkmatter/core";
import { prefixed } from "@darkmatter/proof";
import type { Answer } from "@darkmatter/surface";
import { millisecondsTime } from "../../times.ts";
import { readStanding } from "../chains/assurance.ts";
import type { ReadableStep } from "../chains/chain-step.ts";
import { anchorsOf, type Chain, openChain, walkChain } from "../chains/chains.ts";
import { checkpointFault } from "../chains/judged.ts";
import { createVerdict } from "../chains/verdict.ts";
import { type PassportSurroundings, stepPassport } from "../chains/views.ts";
import { type Answerable, jsonText } from "../json-text.ts";
import { type ExportPorts, type ExportWishes, newExportId } from "./export.ts";
import { bodyOf, commaed } from "./long-answer.ts";
import { readableOf } from "./whole.ts";

const README = [
  "A chain of commits, from its first to the one it was asked for.",
  "payload_hash is SHA-256 of the payload's canonical JSON; integrity_hash is SHA-256 of the ASCII text",
  "payload_hash + parent's integrity_hash (both 64 hex), or payload_hash + root for the first.",
  "chainHash is SHA-256 of all integrity hashes, 64 hex each, joined without a separator, first one first.",
  "For signatures and the proof that the log holds it, ask for the export of the same commit.",
].join("\n");

/**
 * A chain for people to read, with what it takes to recompute scheme 1 (ledger.md 3.5); `undefined` for any id that is
 * not this account's. @throws chain_unreadable
 */
export async function bundleOf(
  ports: ExportPorts,
  { account, id, exportedBy }: ExportWishes,
): Promise<Answer["body"] | undefined> {
  const chain = await openChain(ports, account, id);
  if (!chain) return undefined;
  const anchors = await anchorsOf(ports, chain);
  const facts = createFacts();
  for await (const { steps } of walkChain(ports, chain, anchors))
    for (const step of steps) facts.add(readableOf(step, ports));
  const nowMs = Math.floor(ports.clock.now());
  const around = { baseUrl: ports.config.baseUrl, nowMs, standing: await readStanding(ports.db) };
  const begun = {
    readme: README,
    metadata: {
      exportId: newExportId(nowMs, ports.random),
      exportedAt: millisecondsTime(nowMs),
      exportedBy,
      ctxId: id,
      ...facts.metadata(),
    },
    verification: facts.verification(checkpointFault(anchors.covering)),
  };
  return bodyOf(pieces(ports, chain, { begun, steps: facts.steps, anchors, around }));
}

interface Parts {
  /** All but the lists; `verification` is the last. */
  readonly begun: { readonly [name: string]: Answerable };
  /** Texts of `verification.steps`. */
  readonly steps: readonly string[];
  readonly anchors: Awaited<ReturnType<typeof anchorsOf>>;
  readonly around: PassportSurroundings;
}

const STEPS_AT_ONCE = 256;

async function* pieces(
  ports: ExportPorts,
  chain: Chain,
  { begun, steps, anchors, around }: Parts,
): AsyncGenerator<string> {
  yield `${jsonText(begun).slice(0, -"}}".length)},"steps":[`;
  for (let from = 0; from < steps.length; from += STEPS_AT_ONCE) {
    yield (from === 0 ? "" : ",") + steps.slice(from, from + STEPS_AT_ONCE).join();
    await ports.clock.turn();
  }
  yield `]},"chain":[`;
  const texts = (async function* () {
    for await (const { steps } of walkChain(ports, chain, anchors))
      yield steps.map((step) => jsonText(shown(readableOf(step, ports), around)));
  })();
  yield* commaed(texts);
  yield "]}";
}

function shown(step: ReadableStep, around: PassportSurroundings): Answerable {
  const { commit, index } = step;
  const passport = stepPassport(step, around);
  return {
    step: index + 1,
    id: passport.id,
    parent_id: passport.parent_id,
    trace_id: passport.trace_id,
    branch_key: passport.branch_key,
    created_by: passport.created_by,
    event: { type: passport.event.type, label: passport.event.label, timestamp: passport.event.timestamp },
    payload: passport.payload,
    payload_pruned_at: passport.payload_pruned_at,
    integrity: passport.integrity,
    is_fork: commit.forkOf !== null,
    fork_of: commit.forkOf,
  };
}

/** What the walk finds out before the chain is written. */
function createFacts() {
  const verdict = createVerdict();
  const chainHash = runningSha256();
  const [models, agents] = [new Set<string>(), new Set<string>()];
  const steps: string[] = [];
  let [first, last]: (ReadableStep | undefined)[] = [];
  return {
    steps,
    add(step: ReadableStep): void {
      const { commit, index } = step;
      verdict.add(step);
      chainHash.update(commit.chainHash);
      agents.add(commit.agentName);
      if (commit.model !== null) models.add(commit.model);
      first ??= step;
      last = step;
      steps.push(
        jsonText({
          step: index + 1,
          id: step.id,
          payload_hash: prefixed(commit.payloadHash),
          integrity_hash: prefixed(commit.chainHash),
          parent_hash: commit.parentChainHash === null ? null : prefixed(commit.parentChainHash),
          chainValid: step.fault === null,
        }),
      );
    },
    metadata: () => ({
      rootId: first?.id ?? null,
      chainLength: steps.length,
      models: [...models],
      agents: [...agents],
      forkPoints: verdict.result().forks.length,
      dateRange: { from: first?.commit.timestamp ?? null, to: last?.commit.timestamp ?? null },
    }),
    verification(fault: string | null): Answerable {
      const { isIntact, rootHash, tipHash } = verdict.result(fault);
      return {
        chainIntact: isIntact,
        chainHash: prefixed(chainHash.hex()),
        rootHash,
        tipHash,
      };
    },
  };
}
