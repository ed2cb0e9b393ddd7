import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { SuiteCase } from "@darkmatter/core/testing";
import { seededRandom } from "@darkmatter/core/testing";
import { CHANNEL_LABEL, OPENING_MS, type WebRtc } from "../web-rtc.ts";
import { closed, connect, frames, soon } from "./web-rtc-suite.ts";
import { weriftConnection } from "./werift-web-rtc.ts";

const MUTATIONS = 400;
/** In which an address that may be tried is. */
const SOUGHT_MS = 1200;
/** An answer within one machine, and a busy one, is there by then. */
const ANSWER_MS = 400;

/** What another side may try, on the adapter with its native library. */
export function hostileCases(make: () => Promise<WebRtc>): readonly SuiteCase[] {
  const on = (title: string, body: (ours: WebRtc) => Promise<void>): SuiteCase => ({
    title,
    async run() {
      const ours = await make();
      try {
        await body(ours);
      } finally {
        // What is collected by now the native library must not take hold of when it ends.
        globalThis.gc?.();
        await ours.close();
      }
    },
  });
  return [...descriptionCases(on), ...candidateCases(on), ...channelCases(on)];
}

type On = (title: string, body: (ours: WebRtc) => Promise<void>) => SuiteCase;

function descriptionCases(on: On): readonly SuiteCase[] {
  const survives = async (ours: WebRtc, sdp: string) => {
    await ours.answer(sdp).then(
      (answer) => answer.cancel(),
      (error: unknown) => assert.equal((error as { code?: string }).code, "CHANNEL_FAILED"),
    );
  };
  return [
    on("random bytes and a mebibyte of them are refused", async (ours) => {
      const random = seededRandom(1);
      for (const length of [1, 100, 10_000, 1024 * 1024]) {
        await survives(ours, new TextDecoder("latin1").decode(random.bytes(length)));
      }
    }),
    on("descriptions cut off anywhere are refused or used, and nothing breaks", async (ours) => {
      const { sdp } = await ours.offer();
      for (let end = 0; end < sdp.length; end += 7) await survives(ours, sdp.slice(0, end));
    }),
    on("descriptions with broken lines are refused or used, and nothing breaks", async (ours) => {
      const random = seededRandom(2);
      const { sdp } = await ours.offer();
      for (let n = 0; n < MUTATIONS; n++) await survives(ours, mutated(sdp, random));
      const answer = await ours.answer(sdp);
      answer.cancel();
    }),
    on("an answer to another's offer, and one's own offer as answer, open nothing", async (ours) => {
      const [one, other] = [await ours.offer(), await ours.offer()];
      const answer = await ours.answer(other.sdp);
      const begun = performance.now();
      const outcome = await Promise.allSettled([one.accept(answer.sdp), answer.channel]);
      assert.deepEqual(
        outcome.map(({ status }) => status),
        ["rejected", "rejected"],
      );
      assert.ok(performance.now() - begun < OPENING_MS + 2000, "within the time a channel has to open");
    }),
  ];
}

function candidateCases(on: On): readonly SuiteCase[] {
  /** How long after our answer each datagram came to an address named in an offer, in ms. */
  const reached = async (ours: WebRtc, address: string) => {
    const socket = createSocket("udp4");
    const heardMs: number[] = [];
    let answeredMs = Number.POSITIVE_INFINITY;
    socket.on("message", () => void heardMs.push(performance.now() - answeredMs));
    socket.bind({ address, port: 0 });
    await once(socket, "listening");
    const { sdp } = await ours.offer();
    const only = sdp.replace(/^a=candidate:.*\r\n/gm, "");
    const line = `a=candidate:1 1 UDP 2114977791 ${address} ${socket.address().port} typ host`;
    const own = /^a=candidate:.*$/m.exec(sdp)?.[0];
    const answer = await ours.answer(`${only}${own}\r\n${line}\r\n`);
    answeredMs = performance.now();
    await new Promise((done) => setTimeout(done, SOUGHT_MS));
    answer.cancel();
    socket.close();
    return heardMs;
  };
  return [
    on("an address in an offer is tried where it may be a peer's", async (ours) => {
      const [first] = await reached(ours, "10.99.0.2");
      assert.ok(first !== undefined, "it is tried");
      assert.ok(first > ANSWER_MS, `not before the answer can have arrived: ${first} ms`);
    }),
    on("the metadata service and this machine's loopback are never sent to", async (ours) => {
      assert.deepEqual(await reached(ours, "169.254.169.254"), []);
      assert.deepEqual(await reached(ours, "127.0.0.1"), []);
    }),
  ];
}

function channelCases(on: On): readonly SuiteCase[] {
  /** A side that does as it likes. */
  const offerOf = async (ours: WebRtc, label: string) => {
    const pc = weriftConnection();
    const raw = pc.createDataChannel(label);
    await pc.setLocalDescription(await pc.createOffer());
    const answer = await ours.answer(pc.localDescription?.sdp ?? "");
    // It would keep to what we said we take.
    const sdp = answer.sdp.replace(/max-message-size:\d+/, "max-message-size:1000000");
    await pc.setRemoteDescription({ sdp, type: "answer" });
    return { pc, raw, answer };
  };
  return [
    on("a channel with another label is not ours", async (ours) => {
      const { pc, answer } = await offerOf(ours, "other");
      const isOpen = answer.channel.then(
        () => true,
        () => false,
      );
      const early = new Promise((done) => setTimeout(() => done("not open"), 2000));
      assert.equal(await Promise.race([isOpen, early]), "not open");
      answer.cancel();
      await pc.close();
    }),
    on("whoever has another certificate than the description says gets no channel", async (ours) => {
      const altered = (sdp: string) =>
        sdp.replace(
          /(sha-256 )(..)/i,
          (_, name, byte) => `${name}${byte.toUpperCase() === "AA" ? "BB" : "AA"}`,
        );
      const [offer, other] = [await ours.offer(), await ours.offer()];
      const answer = await ours.answer(offer.sdp);
      const toAltered = await ours.answer(altered(other.sdp));
      const refused = { name: "DarkMatterError", code: "CHANNEL_FAILED" };
      await assert.rejects(offer.accept(altered(answer.sdp)), refused);
      const accepted = other.accept(toAltered.sdp).catch(() => undefined);
      await assert.rejects(toAltered.channel, refused);
      await accepted;
    }),
    on("a slow answer opens a channel all the same", async (ours) => {
      const offer = await ours.offer();
      const answer = await ours.answer(offer.sdp);
      await new Promise((done) => setTimeout(done, 300));
      const [one, other] = await Promise.all([offer.accept(answer.sdp), answer.channel]);
      const heard = frames(other, 1);
      one.send("late");
      assert.deepEqual(await soon("a frame", heard), ["late"]);
    }),
    on("bytes are no frames, and do no harm", async (ours) => {
      const { pc, raw, answer } = await offerOf(ours, CHANNEL_LABEL);
      const channel = await answer.channel;
      const heard = frames(channel, 1);
      raw.send(Buffer.from("bytes"));
      raw.send("text");
      assert.deepEqual(await soon("the text", heard), ["text"]);
      await pc.close();
    }),
    on("more than a mebibyte that nobody listens to closes the channel", async (ours) => {
      const { pc, raw, answer } = await offerOf(ours, CHANNEL_LABEL);
      const channel = await answer.channel;
      const ended = closed(channel);
      for (let n = 0; n < 70 && channel.isOpen; n++) {
        raw.send("x".repeat(16_384));
        await new Promise((done) => setTimeout(done, 5));
      }
      await soon("the end", ended);
      await pc.close();
    }),
    on("a frame longer than was said closes the channel", async (ours) => {
      const { pc, raw, answer } = await offerOf(ours, CHANNEL_LABEL);
      const channel = await answer.channel;
      const ended = closed(channel);
      raw.send("x".repeat(100_000));
      await soon("the end", ended);
      await pc.close();
    }),
    on("a frame longer than the other takes is not taken", async (ours) => {
      const { one, other } = await connect({ offering: ours, answering: ours });
      assert.equal(one.send("x".repeat(70_000)), false);
      const heard = frames(other, 1);
      assert.ok(one.send("still open"));
      assert.deepEqual(await soon("a frame", heard), ["still open"]);
    }),
  ];
}

/** Some lines of a description changed, doubled, dropped or filled with rubbish. */
function mutated(sdp: string, random: ReturnType<typeof seededRandom>): string {
  const pick = (below: number) => random.integer(below);
  const lines = sdp.split("\r\n");
  const changes = 1 + pick(3);
  for (let n = 0; n < changes; n++) {
    const at = pick(lines.length);
    const line = lines[at] ?? "";
    const cut = pick(line.length + 1);
    const rubbish = new TextDecoder("latin1").decode(random.bytes(pick(40)));
    const options = [
      line.slice(0, cut),
      line.slice(0, cut) + rubbish + line.slice(cut),
      `${line}\r\n${line}`,
      "",
      line.replace(/\d+/, `${"9".repeat(1 + pick(30))}`),
      `${line}${"A".repeat(pick(5000))}`,
      line.replace(/[\d.]+ (\d+) typ/, `${rubbish} $1 typ`),
    ];
    lines[at] = options[pick(options.length)] ?? "";
  }
  return lines.join("\r\n");
}
