// One side of `npm run bench -- webrtc`, in a machine of its own. What it is told and what it tells are lines of JSON.
// As `answer URL-port` it answers offers, and requests over the channel and over HTTP. As `offer` it opens channels and
// counts answered requests.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createUndiciWire, createWebRtc, type DataChannel, type WebRtc } from "@darkmatter/net";

const [role, urlOrPort = "", sizes = "{}"] = process.argv.slice(2);
/** About a message with its signature. */
const BODY = JSON.stringify({ content: "x".repeat(600) });
const ANSWER = JSON.stringify({ success: true, status: "queued" });
const IN_FLIGHT = 16;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (value: object) => console.log(JSON.stringify(value));
const hear = async () => JSON.parse((await lines.next()).value ?? "{}");

const webRtc = await createWebRtc({ stunServers: [] });
if (!webRtc) throw new Error("node-datachannel is not installed");
await (role === "answer" ? answer(webRtc) : offer(webRtc));
process.exit();

async function answer(library: WebRtc): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end(ANSWER));
  });
  await new Promise<void>((done) => server.listen(Number(urlOrPort), "0.0.0.0", done));
  tell({ ready: true });
  for (;;) {
    const { sdp } = await hear();
    if (!sdp) return;
    const answering = await library.answer(sdp);
    tell({ sdp: answering.sdp });
    // One that was opened to be measured may be closed before this side sees it open.
    answering.channel.then(serve).catch(() => undefined);
  }
}

function serve(channel: DataChannel): void {
  channel.onMessage((text) => void channel.send(JSON.stringify({ id: JSON.parse(text).id, body: ANSWER })));
}

async function offer(library: WebRtc): Promise<void> {
  const { opens, rounds, requests } = JSON.parse(sizes);
  const openMs: number[] = [];
  let channel: DataChannel | undefined;
  for (let n = 0; n < opens; n++) {
    channel?.close();
    const start = performance.now();
    const offering = await library.offer();
    tell({ sdp: offering.sdp });
    channel = await offering.accept((await hear()).sdp);
    openMs.push(performance.now() - start);
  }
  const overChannel = channelCaller(channel as DataChannel);
  const overHttp = httpCaller();
  for (const call of [overChannel, overHttp]) await perSecond(call, requests);
  const pairs: { channel: number; http: number }[] = [];
  for (let n = 0; n < rounds; n++) {
    pairs.push({
      channel: await perSecond(overChannel, requests),
      http: await perSecond(overHttp, requests),
    });
  }
  tell({ openMs, pairs });
}

function channelCaller(channel: DataChannel): () => Promise<void> {
  const waiting = new Map<number, () => void>();
  let next = 0;
  channel.onMessage((text) => {
    const { id } = JSON.parse(text);
    waiting.get(id)?.();
    waiting.delete(id);
  });
  return () =>
    new Promise((done, fail) => {
      const id = next++;
      waiting.set(id, done);
      if (!channel.send(JSON.stringify({ id, body: BODY }))) fail(new Error("the channel takes no more"));
    });
}

function httpCaller(): () => Promise<void> {
  const wire = createUndiciWire();
  const body = new TextEncoder().encode(BODY);
  const headers = { "content-type": "application/json" };
  return async () => {
    await wire.request({
      method: "POST",
      url: urlOrPort,
      headers,
      body,
      timeoutMs: 10_000,
      reach: "private",
    });
  };
}

async function perSecond(call: () => Promise<void>, requests: number): Promise<number> {
  const start = performance.now();
  let left = requests;
  const lane = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (requests / (performance.now() - start)) * 1000;
}
