import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import type { Checks } from "../checks.ts";
import { bundledForBrowser, chromiumPath, openPage } from "./chromium.ts";
import { type ProofInput, type ProofRun, runProof } from "./proof-run.ts";

const VECTORS = join(import.meta.dirname, "../../vectors");
const FILES = ["ledger/canonical", "proof/merkle", "proof/checkpoints", "proof/evidence", "proof/receipts"];
const BROWSER_DEADLINE_MS = 60_000;

/** The whole of proof in a real browser: the same answers as in Node, from noble's hashes and Web Crypto's keys. */
export async function runBrowser(checks: Checks): Promise<void> {
  const executable = chromiumPath();
  if (executable === undefined) {
    checks.skip("browser: proof in Chromium", "no Chromium on this system");
    return;
  }
  const input = proofInput();
  let here: ProofRun | undefined;
  await checks.check("browser: proof passes all its vectors in Node", async () => {
    here = await runProof(input, createVerifier({ threads: "never" }).verify);
    expectAllPassed(here);
  });
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

function proofInput(): ProofInput {
  const read = (file: string) => JSON.parse(readFileSync(join(VECTORS, `${file}.json`), "utf8")) as Json;
  const vectors = [...FILES, "proof/commitments"].map((file) => [file.split("/")[1], read(file)]);
  return { vectors: Object.fromEntries(vectors), bundles: [] };
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
