import { readFileSync } from "node:fs";
import { join } from "node:path";
import { canon1OfJson, type Json } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { makeConversation } from "@darkmatter/proof/testing";
import type { Checks } from "../checks.ts";
import { bundledForBrowser, chromiumPath, openPage } from "./chromium.ts";
import { type ProofInput, type ProofRun, runProof } from "./proof-run.ts";

const VECTORS = join(import.meta.dirname, "../../vectors");
const FILES = [
  "ledger/canonical",
  "proof/merkle",
  "proof/checkpoints",
  "proof/evidence",
  "proof/receipts",
  "proof/commitments",
];
const BROWSER_DEADLINE_MS = 60_000;

/** The whole of proof in a real browser: the same answers as in Node, from noble's hashes and Web Crypto's keys. */
export async function runBrowser(checks: Checks): Promise<void> {
  const executable = chromiumPath();
  if (executable === undefined) {
    checks.skip("browser: proof in Chromium", "no Chromium on this system");
    return;
  }
  const input = await proofInput();
  let here: ProofRun | undefined;
  await checks.check(
    "browser: proof passes all its vectors and tells true bundles from altered ones in Node",
    async () => {
      here = await runProof(input, createVerifier({ threads: "never" }).verify);
      expectAllPassed(here);
    },
  );
  await checks.check(
    "browser: proof gives the same answers in Chromium, and asks the network for nothing",
    async () => {
      const there = await runInPage(executable, input);
      expectAllPassed(there);
      if (JSON.stringify(there) !== JSON.stringify(here)) {
        throw new Error(`Chromium and Node differ: ${firstDifference(there, here)}`);
      }
    },
    BROWSER_DEADLINE_MS,
  );
}

async function proofInput(): Promise<ProofInput> {
  const read = (file: string) => JSON.parse(readFileSync(join(VECTORS, `${file}.json`), "utf8")) as Json;
  const vectors = FILES.map((file) => [file.split("/")[1], read(file)]);
  return { vectors: Object.fromEntries(vectors), bundles: await sampleBundles() };
}

const HEX_RUN = /[0-9a-f]{64}/g;
const ALTERED = 40;

/** What three agents export of one conversation, and copies in which one digit of one hash is another. */
async function sampleBundles(): Promise<ProofInput["bundles"]> {
  const talk = makeConversation({ seed: 1, answers: 3, splits: true });
  const bundles = await Promise.all((["ana", "bo", "cy"] as const).map((name) => talk.bundleOf(name)));
  const texts = bundles.map((bundle) => canon1OfJson(bundle));
  const [first = ""] = texts;
  const hashes = [...first.matchAll(HEX_RUN)].map(({ index }) => index);
  const every = Math.ceil(hashes.length / ALTERED);
  const altered = hashes.filter((_, at) => at % every === 0).map((at) => withAnotherDigit(first, at));
  return [
    ...texts.map((text) => ({ text, verdict: "verified" as const })),
    ...[...altered, first.slice(1)].map((text) => ({ text, verdict: "failed" as const })),
  ];
}

function withAnotherDigit(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
}

async function runInPage(executable: string, input: ProofInput): Promise<ProofRun> {
  const script = await bundledForBrowser(join(import.meta.dirname, "children/page.ts"));
  await using open = await openPage(executable);
  await open.page.addScriptTag({ content: script, type: "module" });
  const text = JSON.stringify(input);
  const run = await open.page.evaluate((given) => globalThis.runProofHere(given), text);
  if (open.asked.length > 0) throw new Error(`the page asked for ${open.asked.join(", ")}`);
  return run;
}

function expectAllPassed({ passed, problems }: ProofRun): void {
  if (problems.length > 0) throw new Error(problems.join("\n"));
  if (passed === 0) throw new Error("no case ran");
}

function firstDifference(there: ProofRun, here: ProofRun | undefined): string {
  const at = there.values.findIndex((value, index) => value !== here?.values[index]);
  return at < 0 ? "in number" : `${there.values[at]} instead of ${here?.values[at]}`;
}
