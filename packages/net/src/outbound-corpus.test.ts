import { execFile, execFileSync } from "node:child_process";
import { isIPv4 } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { hasCode } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { describe, expect, test } from "vitest";
import type { Reach } from "./index.ts";
import { memoryInternet, outboundCorpus } from "./testing.ts";

const { cases, redirects } = outboundCorpus();
const REACHES: readonly Reach[] = ["public", "private"];
const RUN = fileURLToPath(new URL("./testing/children/outbound-run.ts", import.meta.url));
const UNSHARED = ["--user", "--map-root-user", "--net", "sh", "-ec"];

test("the corpus holds enough, and each URL once for what its name resolves to", () => {
  expect(cases.length).toBeGreaterThanOrEqual(200);
  expect(new Set(cases.map((one) => JSON.stringify([one.url, one.resolves]))).size).toBe(cases.length);
  for (const one of cases)
    expect([one.url, one.public === "allowed" && one.private === "refused"]).toEqual([one.url, false]);
});

describe("the real wire", () => {
  const missing = (() => {
    try {
      execFileSync("unshare", [...UNSHARED, "ip link set lo up"], { stdio: "ignore" });
      return undefined;
    } catch {
      return "no network namespaces are permitted here, and elsewhere requests would leave this machine";
    }
  })();

  test("judges every URL of the corpus, and tries no address but those it may", { timeout: 60_000 }, async ({
    skip,
  }) => {
    if (missing) skip(missing);
    const command = `ip link set lo up; exec "$0" "$1"`;
    const { stdout } = await promisify(execFile)("unshare", [...UNSHARED, command, process.execPath, RUN]);
    expect(JSON.parse(stdout)).toEqual([]);
  });
});

/** A machine far away whose requests are tried, and who else there is. */
function internet() {
  const clock = virtualClock();
  const net = memoryInternet({ clock, random: seededRandom(1) });
  return { net, caller: net.host({ address: "5.6.7.8" }) };
}

async function verdictOf(asking: Promise<unknown>): Promise<string> {
  try {
    await asking;
    return "answered";
  } catch (error) {
    return hasCode(error, "ADDRESS_REFUSED") ? "refused" : "allowed";
  }
}

describe("the internet in memory", () => {
  test.each(REACHES)("judges every URL of the corpus likewise (%s)", async (reach) => {
    const wrong: string[] = [];
    for (const { url, resolves, ...expected } of cases) {
      const { net, caller } = internet();
      const host = URL.parse(url)?.hostname;
      if (resolves && host) net.name(host, resolves[0] ?? []);
      const verdict = await verdictOf(caller.wire.request({ method: "GET", url, reach, timeoutMs: 1000 }));
      if (verdict !== expected[reach]) wrong.push(`${JSON.stringify(url)}: ${verdict}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each(redirects)("follows a redirect $trick ($location) only where a request could go", async (one) => {
    for (const reach of REACHES) {
      const { net, caller } = internet();
      const redirecting = net.host({ address: "5.6.7.9" });
      redirecting.listen(80, async () => ({ status: 302, headers: { location: one.location }, body: "" }));
      const call = { method: "GET", url: "http://5.6.7.9/", reach, timeoutMs: 1000, redirects: 3 } as const;
      expect([reach, await verdictOf(caller.wire.request(call))]).toEqual([reach, one[reach]]);
    }
  });
});

test("the corpus tells IPv4 addresses in every class apart", () => {
  const plain = cases.filter(({ url }) => isIPv4(url.replace(/^http:\/\/|\/$/g, "")));
  const verdicts = new Set(plain.map((one) => `${one.public} ${one.private}`));
  expect(verdicts).toEqual(new Set(["refused refused", "refused allowed", "allowed allowed"]));
});
