import { canon1OfJson } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { type VerifySignature, verifyBundle } from "@darkmatter/proof";
import { makeBundle } from "@darkmatter/proof/testing";
import { type Figures, median } from "../lib/figures.ts";

const SIZES = { whole: { steps: 10_000, rounds: 5 }, short: { steps: 600, rounds: 3 } };
/** Steps of the conversation that are no answers. */
const OTHER_STEPS = 7;
const POOLED = 256;

type Claim = Parameters<VerifySignature>;

/** Verifying a bundle, all phases, beside the least that could verify it: a loop over its signatures. */
export async function measureVerify(figures: Figures, { short }: { readonly short: boolean }): Promise<void> {
  const { steps, rounds } = short ? SIZES.short : SIZES.whole;
  const bytes = new TextEncoder().encode(
    canon1OfJson(await makeBundle({ seed: 1, answers: steps - OTHER_STEPS })),
  );
  const { verify } = createVerifier();
  const claims: Claim[] = [];
  const report = await verifyBundle(bytes, (...claim) => {
    claims.push(claim);
    return verify(...claim);
  });
  if (report.verdict !== "verified" || report.about?.steps !== steps) throw new Error("not the bundle meant");

  const ratios: number[] = [];
  const pooledRatios: number[] = [];
  const wholeMs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const bare = await milliseconds(() => inLine(claims, verify));
    const whole = await milliseconds(() => verifyBundle(bytes, verify));
    const pooled = await milliseconds(() => onThreads(claims, verify));
    // The first round warms up.
    if (round === 0) continue;
    wholeMs.push(whole);
    ratios.push(whole / bare);
    pooledRatios.push(whole / pooled);
  }
  figures.add("ledger.verify_bundle_mb", bytes.length / 1e6, "MB");
  figures.add("ledger.verify_signatures", claims.length, "signatures");
  figures.add("ledger.verify_steps_per_second", steps / (median(wholeMs) / 1000), "steps/s");
  figures.add("ledger.verify_vs_signatures", median(ratios), "ratio", { most: 2, noisy: true });
  // The same loop with every core at work on it: what no checker of one program can fall below.
  figures.add("ledger.verify_vs_signatures_on_threads", median(pooledRatios), "ratio");
}

async function inLine(claims: readonly Claim[], verify: VerifySignature): Promise<void> {
  for (const claim of claims) if (!(await verify(...claim))) throw new Error("a signature does not hold");
}

async function onThreads(claims: readonly Claim[], verify: VerifySignature): Promise<void> {
  for (let at = 0; at < claims.length; at += POOLED) {
    await Promise.all(claims.slice(at, at + POOLED).map((claim) => verify(...claim)));
  }
}

async function milliseconds(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
