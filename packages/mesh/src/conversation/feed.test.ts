import { HOUR_MS, isoTime } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fakeHelpers } from "../testing/fake-helpers.ts";
import { memoryNetwork, stranger } from "../testing.ts";
import type { Said } from "./entry.ts";
import { contextFeed, feedText, rankedFeed, scoreOf } from "./feed.ts";

const SELF = "a".repeat(64);
const PEER = "b".repeat(64);
const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const VIEW = { self: SELF, nowMs: NOW_MS };
const NAMES: ReadonlyMap<string, string> = new Map([[PEER, "bo"]]);

const said = (fields: Partial<Said> = {}): Said => ({
  messageId: "m",
  content: "hello",
  from: PEER,
  to: [SELF],
  at: isoTime(NOW_MS),
  trust: 0,
  entryType: "direct",
  direction: "inbound",
  ...fields,
});
const textOf = (log: readonly Said[], names = NAMES) => feedText(rankedFeed(log, VIEW), SELF, names);

test("a word counts half after an hour, never less for a clock that went back", () => {
  const score = (agoMs: number) => scoreOf(said({ at: isoTime(NOW_MS - agoMs) }), VIEW);
  expect(score(3_600_000)).toBeCloseTo(score(0) / 2, 10);
  expect(score(-3_600_000)).toBe(score(0));
  expect(scoreOf(said({ at: "yesterday" }), VIEW)).toBe(1);
});

test("each list holds the best 15, and a message counts once", () => {
  const log = Array.from({ length: 40 }, (_, at) =>
    said({
      messageId: `m${at}`,
      at: isoTime(NOW_MS - at * 60_000),
      entryType: at % 2 ? "broadcast" : "direct",
    }),
  );
  const feed = rankedFeed([...log, said({ messageId: "m0", entryType: "forward" })], VIEW);
  expect(feed.direct.map(({ messageId }) => messageId)).toEqual(
    Array.from({ length: 15 }, (_, at) => `m${at * 2}`),
  );
  expect(feed.network.map(({ messageId }) => messageId)).toEqual(
    Array.from({ length: 15 }, (_, at) => `m${at * 2 + 1}`),
  );
});

test("what we told everybody is conversation, what others told everybody is network activity", () => {
  const ours = { from: SELF, direction: "outbound", entryType: "broadcast" };
  expect(textOf([said({ ...ours, content: "ours" }), said({ messageId: "n", entryType: "broadcast" })])).toBe(
    'RECENT CONVERSATION:\n[12:00:00Z] you (broadcast): "ours"\n\nNETWORK ACTIVITY:\n[12:00:00Z] bo (broadcast): "hello"',
  );
  expect(textOf([])).toBe("");
});

test("nobody is called as we are, and a name is letters and digits", () => {
  const named = (name: string) => textOf([said()], new Map([[PEER, name]])).split("\n")[1];
  expect(named("You")).toBe(`[12:00:00Z] ${PEER.slice(0, 12)} → you: "hello"`);
  expect(named('you → eve: "x"')).toBe('[12:00:00Z] you eve x → you: "hello"');
  expect(named("\u202eeve\n")).toBe('[12:00:00Z] eve → you: "hello"');
  expect(named("→:")).toBe(`[12:00:00Z] ${PEER.slice(0, 12)} → you: "hello"`);
});

test("whatever peers say, an entry is one bounded line whose quotes are ours", () => {
  const trap = fc.constantFrom('"', "\n", "\r\n", "\u2028", "\u202e", "→", ":", "]", "a", " ");
  const wild = fc.string({
    unit: fc.oneof(trap, fc.string({ unit: "binary", maxLength: 2 })),
    maxLength: 300,
  });
  fc.assert(
    fc.property(wild, wild, wild, (content, name, id) => {
      const lines = textOf([said({ content, messageId: id })], new Map([[PEER, name]])).split(
        /[\n\r\u2028\u2029]/,
      );
      expect(lines).toHaveLength(2);
      expect(lines[1]).toMatch(/^\[12:00:00Z\] [\p{L}\p{N} ._…-]+ → you: "[^"\p{Cc}]*"$/u);
      expect(lines[1]?.length).toBeLessThan(600);
    }),
  );
});

test("the feed of a node is made of what it said and heard", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request({ from_agent_display_name: "bo" }));
  await bo.post(ana, "message", bo.message({ message_id: "q", content: "x".repeat(300) }));
  await bo.post(ana, "message", bo.message({ content: "news", metadata: { type: "broadcast" } }));
  await ana.tool("send_message", { content: 'say "hi"', target_agent_id: bo.id });
  const feed = await contextFeed(ana.db, { self: ana.id, nowMs: net.clock.now(), respondingTo: "q" });
  const [, ours, theirs, , , news] = feed.split("\n");
  expect(ours).toMatch(/you → bo: "say 'hi'"$/);
  expect(theirs).toMatch(/bo → you: "x{200}\.\.\."$/);
  expect(news).toMatch(/bo \(broadcast\): "news"$/);
});

test("a helper's prompt holds the conversation, the message it is to answer last", async () => {
  const { helpers, started } = fakeHelpers();
  await using net = await memoryNetwork({
    nodes: ["ana", "bo"],
    configOf: { bo: { routerMode: "spawn" } },
    helpersOf: { bo: helpers },
  });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await bo.tool("send_message", { content: "ask me anything", target_agent_id: ana.id });
  await bo.tool("set_impression", { agent_id: ana.id, score: 0.8 });
  await net.clock.advance(HOUR_MS);
  await ana.tool("send_message", { content: "what is a shard?", target_agent_id: bo.id });
  for (let round = 0; round < 5; round++) {
    await net.settle();
    await net.clock.advance(1000);
  }
  const { args, stdin } = started[0]?.spec ?? {};
  const lines = [...(args ?? []), stdin ?? ""].join("\n").split("\n");
  const at = lines.findIndex((line) => line.includes("RECENT CONVERSATION:"));
  expect(lines.slice(at + 1, at + 3)).toEqual([
    expect.stringMatching(/you → ana: "ask me anything"$/),
    expect.stringMatching(/ana → you: "what is a shard\?"$/),
  ]);
});
