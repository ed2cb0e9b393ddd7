// Runs the corpus of outbound addresses through the real wire, where every address but loopback's leads nowhere:
// started by `unshare --user --map-root-user --net`. Prints a JSON list of what was wrong.
import { isIP } from "node:net";
import { hasCode } from "@darkmatter/core";
import { createUndiciWire } from "../../adapters/undici-wire.ts";
import type { Reach } from "../../wire.ts";
import { type OutboundCase, outboundCorpus } from "../outbound-corpus.ts";

const problems: string[] = [];

/** The addresses a failed request tried, as the system's errors tell. */
function triedOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { address } = error as { address?: string };
  const inner = error instanceof AggregateError ? error.errors : [];
  return [...(address ? [address] : []), ...inner.flatMap(triedOf), ...triedOf(error.cause)];
}

async function judge(
  { url, resolves = [], connects, ...expected }: OutboundCase,
  reach: Reach,
): Promise<void> {
  let lookups = 0;
  const lookup = async () => {
    const addresses = resolves[Math.min(lookups++, resolves.length - 1)];
    if (!addresses) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    return addresses.map((address) => ({ address, family: isIP(address) }));
  };
  const wire = createUndiciWire({ lookup });
  const wrong = (problem: string) => void problems.push(`${JSON.stringify(url)} under ${reach}: ${problem}`);
  try {
    const answer = await wire.request({ method: "GET", url, reach, timeoutMs: 5000 });
    wrong(`answered ${answer.status}`);
  } catch (error) {
    const verdict = hasCode(error, "ADDRESS_REFUSED") ? "refused" : "allowed";
    if (verdict !== expected[reach]) wrong(`${verdict}: ${error}`);
    if (verdict === "allowed" && !hasCode(error, "UNREACHABLE")) wrong(`ends in ${error}`);
    const tried = [...new Set(triedOf(error))];
    if (verdict === "refused" && tried.length > 0) wrong(`tried ${tried}`);
    const only = connects?.[reach];
    if (only && tried.join() !== only.join()) wrong(`tried ${tried} and not ${only}`);
    if (verdict === "allowed" && tried.length === 0) wrong("tried nothing");
  } finally {
    await wire.close();
  }
  if (lookups > 1) wrong(`looked up ${lookups} times`);
  if (resolves.length === 0 && lookups > 0 && expected[reach] === "allowed") wrong("looked up an address");
}

for (const one of outboundCorpus().cases)
  for (const reach of ["public", "private"] as const) await judge(one, reach);
console.log(JSON.stringify(problems));
