import { SECOND_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import type { DataChannel, WebRtc } from "../web-rtc.ts";
import { memoryInternet } from "./memory-internet.ts";
import { memoryWebRtc } from "./memory-web-rtc.ts";

function world({ delayMs = 0, reaches = true } = {}) {
  const clock = virtualClock();
  const internet = memoryInternet({ clock, random: seededRandom(1) });
  const [one, other] = [internet.host({ address: "192.168.7.1" }), internet.host({ address: "192.168.7.2" })];
  const down = { isDown: false };
  const hub = memoryWebRtc({ clock, reaches: () => reaches && !down.isDown, delayMs: () => delayMs });
  return { clock, one, other, down, near: hub.on(one), far: hub.on(other) };
}

async function opened(near: WebRtc, far: WebRtc): Promise<[DataChannel, DataChannel]> {
  const offering = await near.offer();
  const answering = await far.answer(offering.sdp);
  return [await offering.accept(answering.sdp), await answering.channel];
}

function heardBy(channel: DataChannel): string[] {
  const heard: string[] = [];
  channel.onMessage((text) => void heard.push(text));
  return heard;
}

test("frames go both ways, in order, also those sent before anybody listened", async () => {
  const { clock, near, far } = world();
  const [one, other] = await opened(near, far);
  for (const text of ["a", "b", "c"]) one.send(text);
  await clock.settle();
  const heard = heardBy(other);
  one.send("d");
  other.send("back");
  const back = heardBy(one);
  await clock.settle();
  expect(heard).toEqual(["a", "b", "c", "d"]);
  expect(back).toEqual(["back"]);
});

test("a frame takes as long as the network says", async () => {
  const { clock, near, far } = world({ delayMs: 40 });
  const opening = opened(near, far);
  await clock.advance(160);
  const [one, other] = await opening;
  const heard = heardBy(other);
  one.send("a");
  await clock.advance(39);
  expect(heard).toEqual([]);
  await clock.advance(1);
  expect(heard).toEqual(["a"]);
});

test("where nothing gets through, both sides hear so when the time for opening is over", async () => {
  const { clock, near, far } = world({ reaches: false });
  const offering = await near.offer();
  const answering = await far.answer(offering.sdp);
  const failures = [offering.accept(answering.sdp), answering.channel].map((one) =>
    one.catch((error) => error.code),
  );
  await clock.advance(15 * SECOND_MS);
  expect(await Promise.all(failures)).toEqual(["CHANNEL_FAILED", "CHANNEL_FAILED"]);
});

test("an answer to another offer, a repeated one and what is no description open nothing", async () => {
  const { near, far } = world();
  const [first, second] = [await near.offer(), await near.offer()];
  const answering = await far.answer(first.sdp);
  await expect(second.accept(answering.sdp)).rejects.toMatchObject({ code: "CHANNEL_FAILED" });
  await expect(far.answer("v=0\r\n")).rejects.toMatchObject({ code: "CHANNEL_FAILED" });
  await first.accept(answering.sdp);
  await expect(first.accept(answering.sdp)).rejects.toMatchObject({ code: "CHANNEL_FAILED" });
});

test.each(["goes down", "gets another address"])(
  "a channel closes on both sides when a machine %s",
  async (what) => {
    const { clock, near, far, down, other: host } = world();
    const [one, other] = await opened(near, far);
    const closed: string[] = [];
    one.onClose(() => void closed.push("one"));
    other.onClose(() => void closed.push("other"));
    if (what === "goes down") down.isDown = true;
    else host.move("192.168.7.3");
    await clock.advance(5 * SECOND_MS);
    expect(closed.sort()).toEqual(["one", "other"]);
    expect(one.send("late")).toBe(false);
  },
);

test("a port that closes takes its channels with it", async () => {
  const { near, far } = world();
  const [one, other] = await opened(near, far);
  await far.close();
  expect([one.isOpen, other.isOpen]).toEqual([false, false]);
});

test("an answer that is given up while the other side opens it opens nothing", async () => {
  const { near, far } = world();
  const offering = await near.offer();
  const answering = await far.answer(offering.sdp);
  const opening = offering.accept(answering.sdp);
  answering.cancel();
  await expect(opening).rejects.toMatchObject({ code: "CHANNEL_FAILED" });
  await expect(answering.channel).rejects.toMatchObject({ code: "CHANNEL_FAILED" });
});
