import assert from "node:assert/strict";
import type { SuiteCase } from "@darkmatter/core/testing";
import { type DataChannel, SDP_BYTES_MAX, type WebRtc } from "../web-rtc.ts";

/** Two machines that can reach each other: `offering` makes the offers. */
export interface WebRtcUnderTest extends AsyncDisposable {
  readonly offering: WebRtc;
  readonly answering: WebRtc;
}
export type MakeWebRtc = () => Promise<WebRtcUnderTest>;

export interface OpenPair {
  /** The side that offered. */
  readonly one: DataChannel;
  readonly other: DataChannel;
}

const FRAMES = 200;
const OPENED = 10;
/** The longest frame of the first generation (mesh.md 10.2). */
const FRAME_BYTES = 16_384;
const WAIT_MS = 5_000;
const refused = (promise: Promise<unknown>) =>
  assert.rejects(promise, { name: "DarkMatterError", code: "CHANNEL_FAILED" });

/** Signals by hand, as every way of signalling does. */
export async function connect({ offering, answering }: Omit<WebRtcUnderTest, symbol>): Promise<OpenPair> {
  const offer = await offering.offer();
  const answer = await answering.answer(offer.sdp);
  const [one, other] = await Promise.all([offer.accept(answer.sdp), answer.channel]);
  return { one, other };
}

/** The next so many frames of a channel. */
export function frames(channel: DataChannel, count: number): Promise<readonly string[]> {
  const seen: string[] = [];
  return new Promise((done) => {
    channel.onMessage((text) => {
      seen.push(text);
      if (seen.length === count) done(seen);
    });
  });
}

/** Fails loudly where a promise never settles. */
export async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: not within ${WAIT_MS} ms`)), WAIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const closed = (channel: DataChannel) => new Promise<void>((done) => channel.onClose(done));

/** What both sides of every `WebRtc` keep, whatever library the other is. */
export function webRtcSuite(make: MakeWebRtc): readonly SuiteCase[] {
  const on = (title: string, body: (net: WebRtcUnderTest) => Promise<void>): SuiteCase => ({
    title,
    async run() {
      await using net = await make();
      await body(net);
    },
  });
  return [...frameCases(on), ...endingCases(on), ...refusalCases(on)];
}

type On = (title: string, body: (net: WebRtcUnderTest) => Promise<void>) => SuiteCase;

function frameCases(on: On): readonly SuiteCase[] {
  return [
    on("frames arrive both ways, in order", async (net) => {
      const { one, other } = await connect(net);
      assert.ok(one.isOpen && other.isOpen);
      const heard = Promise.all([frames(one, FRAMES), frames(other, FRAMES)]);
      const sent = Array.from({ length: FRAMES }, (_, n) => `frame ${n} ✓`);
      for (const text of sent) assert.ok(one.send(text) && other.send(text));
      assert.deepEqual(await soon("all frames", heard), [sent, sent]);
    }),
    on("the longest frame arrives as it was sent", async (net) => {
      const { one, other } = await connect(net);
      const heard = Promise.all([frames(one, 1), frames(other, 1)]);
      const text = "€".repeat(FRAME_BYTES / 3);
      assert.ok(one.send(text) && other.send(text));
      assert.deepEqual(await soon("the frame", heard), [[text], [text]]);
    }),
    on("frames that come before anybody listens are kept for the first listener", async (net) => {
      const { one, other } = await connect(net);
      const first = frames(one, 1);
      one.send("early");
      one.send("bird");
      other.send("after");
      await soon("a frame", first);
      await new Promise((done) => setTimeout(done, 200));
      assert.deepEqual(await soon("kept frames", frames(other, 2)), ["early", "bird"]);
    }),
    on("send takes no more than a bound while nothing leaves, and more once it has", async (net) => {
      const { one, other } = await connect(net);
      const text = "x".repeat(FRAME_BYTES);
      let [taken, heard] = [0, 0];
      other.onMessage(() => void heard++);
      // Nothing can leave before this turn ends.
      while (one.send(text)) assert.ok(++taken * FRAME_BYTES <= 8 * 1024 * 1024, "there is a bound");
      assert.ok(taken > 0 && one.isOpen);
      await soon(
        "room",
        until(() => one.send("more")),
      );
      await soon(
        "every frame taken",
        until(() => heard === taken + 1),
      );
    }),
    on("one channel after the other opens, and soon", async (net) => {
      for (let n = 0; n < OPENED; n++) {
        const { one, other } = await soon(`channel ${n}`, connect(net));
        one.close();
        other.close();
      }
    }),
    on("channels of the same two machines do not mix", async (net) => {
      const pairs = await Promise.all(Array.from({ length: 4 }, () => connect(net)));
      const heard = pairs.map(({ other }) => frames(other, 1));
      pairs.forEach(({ one }, n) => void one.send(`${n}`));
      assert.deepEqual(await soon("frames", Promise.all(heard)), [["0"], ["1"], ["2"], ["3"]]);
    }),
  ];
}

function endingCases(on: On): readonly SuiteCase[] {
  const closing = (title: string, close: (pair: OpenPair) => DataChannel) =>
    on(title, async (net) => {
      const pair = await connect(net);
      const both = Promise.all([closed(pair.one), closed(pair.other)]);
      close(pair).close();
      await soon("both hear of it", both);
      for (const channel of [pair.one, pair.other]) {
        assert.equal(channel.isOpen, false);
        assert.equal(channel.send("late"), false);
        await soon("a late listener hears of it", closed(channel));
      }
    });
  return [
    closing("what the offering side closes is closed on both", ({ one }) => one),
    closing("what the answering side closes is closed on both", ({ other }) => other),
    on("an offer given up takes no answer", async (net) => {
      const offer = await net.offering.offer();
      const answer = await net.answering.answer(offer.sdp);
      offer.cancel();
      offer.cancel();
      await refused(offer.accept(answer.sdp));
      answer.cancel();
      await refused(answer.channel);
    }),
    on("the end of a side closes its channels, and it offers and answers no more", async (net) => {
      const { one, other } = await connect(net);
      const both = Promise.all([closed(one), closed(other)]);
      const { sdp } = await net.offering.offer();
      await net.answering.close();
      await soon("both hear of it", both);
      await refused(net.answering.offer());
      await refused(net.answering.answer(sdp));
      await net.answering.close();
    }),
  ];
}

function refusalCases(on: On): readonly SuiteCase[] {
  const useless = [
    "",
    "v=0",
    "v=0\r\n",
    "\0",
    "{}",
    "v=0\r\n".repeat(50),
    `v=0\r\n${"x".repeat(SDP_BYTES_MAX)}`,
  ];
  return [
    on("what is no description is refused", async (net) => {
      for (const sdp of useless) {
        await refused(net.answering.answer(sdp));
        const offer = await net.offering.offer();
        await refused(offer.accept(sdp));
      }
    }),
    on("a description that is too long is refused, though it begins well", async (net) => {
      const offer = await net.offering.offer();
      const more = "a=x-more:y\r\n".repeat(SDP_BYTES_MAX / 12);
      await refused(net.answering.answer(offer.sdp + more));
      const answer = await net.answering.answer(offer.sdp);
      await refused(offer.accept(answer.sdp + more));
      answer.cancel();
    }),
  ];
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 5));
}
