import type { Checks } from "../checks.ts";
import { type ConformanceReport, runConformance } from "../conformance/run.ts";

const SUITE_MS = 90_000;

/** The official conformance suite, on our half of MCP with the suite's samples, and on a live node. */
export async function checkConformance(checks: Checks, nodeUrl: string): Promise<void> {
  const report = await tell(checks, "conformance", () => runConformance());
  for (const { name, reason } of report?.skipped ?? []) checks.skip(`conformance: ${name}`, reason);
  await tell(checks, "conformance of a node", () => runConformance({ url: `${nodeUrl}/mcp` }));
}

async function tell(
  { check }: Checks,
  suite: string,
  run: () => Promise<ConformanceReport>,
): Promise<ConformanceReport | undefined> {
  let report: ConformanceReport | undefined;
  const body = async () => {
    report = await run();
    if (report.passed.length === 0) throw new Error("no scenario passed");
  };
  await check(`${suite}: the suite runs`, body, SUITE_MS);
  for (const name of report?.passed ?? []) await check(`${suite}: ${name}`, () => undefined);
  for (const { name, reason } of report?.failed ?? []) {
    await check(`${suite}: ${name}`, () => Promise.reject(new Error(reason)));
  }
  return report;
}
