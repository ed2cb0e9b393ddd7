// Tries WebRTC where this process runs: a network of its own, see web-rtc.test.ts. Each case is told as a line of
// JSON. It ends by itself, as a node does.
import { createWebRtc, type WebRtc } from "../../index.ts";
import { hostileCases } from "../web-rtc-hostile.ts";
import { type MakeWebRtc, webRtcSuite } from "../web-rtc-suite.ts";
import { createWeriftWebRtc } from "../werift-web-rtc.ts";

async function ours(): Promise<WebRtc> {
  const made = await createWebRtc({ stunServers: [] });
  if (!made) throw new Error("node-datachannel is not installed");
  return made;
}
const theirs = async () => createWeriftWebRtc();

const between =
  (makeOffering: () => Promise<WebRtc>, makeAnswering: () => Promise<WebRtc>): MakeWebRtc =>
  async () => {
    const [offering, answering] = [await makeOffering(), await makeAnswering()];
    return {
      offering,
      answering,
      [Symbol.asyncDispose]: async () => void (await Promise.all([offering.close(), answering.close()])),
    };
  };

const SUITES = {
  "between two of ours": webRtcSuite(between(ours, ours)),
  "ours offering to werift": webRtcSuite(between(ours, theirs)),
  "werift offering to ours": webRtcSuite(between(theirs, ours)),
  "hostile others": hostileCases(ours),
};

for (const [suite, cases] of Object.entries(SUITES)) {
  for (const { title, run } of cases) {
    const begun = performance.now();
    const failure = await run().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    console.log(JSON.stringify({ suite, title, failure, ms: Math.round(performance.now() - begun) }));
  }
}
