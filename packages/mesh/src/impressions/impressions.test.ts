import { HOUR_MS, type JsonObject, MINUTE_MS } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryNetwork, stranger } from "../testing.ts";
import { adjusted } from "./impression.ts";

const PUBLIC = "5.6.7.200";
const ABOUT = "ab".repeat(32);

test("a score and a note are kept, shown to whoever asks, and deleted on demand", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const seen = (path = "/__darkmatter__") => ana.local({ path: `${path}/impression/${ABOUT}` });
  expect((await seen()).json).toEqual({ agent_id: ABOUT, has_impression: false });
  const set = (input: JsonObject) => ana.tool("set_impression", { agent_id: ABOUT, ...input });
  expect(await set({ score: 0.4, note: "quick" })).toMatchObject({ action: "created", score: 0.4 });
  expect(await set({ score: -0.2 })).toMatchObject({ action: "updated", score: -0.2, note: "quick" });
  expect(await set({ impression: "slow" })).toMatchObject({ score: -0.2, note: "slow" });
  const shown = { agent_id: ABOUT, has_impression: true, score: -0.2, note: "slow", impression: "slow" };
  expect((await seen()).json).toEqual(shown);
  expect((await seen("/mcp/__darkmatter__")).json).toEqual(shown);
  expect(await set({ impression: "" })).toMatchObject({ action: "deleted" });
  expect(await set({ impression: "" })).toMatchObject({ success: false });
  expect((await seen()).json).toMatchObject({ has_impression: false });
});

test("what is no judgement is refused", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const wrong: JsonObject[] = [
    { agent_id: ABOUT },
    { agent_id: ABOUT, score: 1.1 },
    { agent_id: ABOUT, score: "1" },
    { agent_id: "bo", score: 1 },
    { agent_id: ana.id, score: 1 },
    { agent_id: ABOUT, note: "x".repeat(2001) },
  ];
  for (const input of wrong) {
    expect(await ana.tool("set_impression", input), JSON.stringify(input).slice(0, 99)).toMatchObject({
      success: false,
    });
    const path = "/__darkmatter__/set_impression";
    const isNoteTooLong = "note" in input;
    const { status } = await ana.local({ method: "POST", path, body: { score: 2, ...input } });
    if (!isNoteTooLong) expect(status).toBe(400);
  }
  expect(await ana.db.all("SELECT * FROM mesh_impressions")).toEqual([]);
});

test("limits of texts count characters as people do, not halves of them", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const note = "😀".repeat(2000);
  expect(await ana.tool("set_impression", { agent_id: ABOUT, note })).toMatchObject({ success: true, note });
  expect(await ana.tool("set_impression", { agent_id: ABOUT, note: `${note}!` })).toMatchObject({
    success: false,
  });
  const bio = "😀".repeat(1000);
  expect(await ana.tool("update_bio", { bio })).toMatchObject({ success: true, bio });
  expect(await ana.tool("update_bio", { bio: `${bio}!` })).toMatchObject({ success: false });
});

test("since when a score is negative is kept until it is no more", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana, clock } = { ...net.nodes, clock: net.clock };
  const since = async () =>
    (await ana.db.get("SELECT negative_since FROM mesh_impressions WHERE about = ?", ABOUT))?.negative_since;
  const score = (value: number) => ana.tool("set_impression", { agent_id: ABOUT, score: value });
  await score(-0.5);
  const first = await since();
  expect(first).toBe("2026-03-05T12:00:00+00:00");
  await clock.advance(HOUR_MS);
  await score(-0.9);
  expect(await since()).toBe(first);
  await score(0);
  expect(await since()).toBeNull();
  await score(-0.1);
  expect(await since()).toBe("2026-03-05T13:00:00+00:00");
});

test("a peer disliked for an hour is disconnected, and both agents are told; one forgiven in time is not", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo", "cy"] });
  const { ana, bo, cy } = net.nodes;
  await net.connect("ana", "bo");
  await net.connect("ana", "cy");
  const peers = async (node: typeof ana) =>
    ((await node.tool("list_connections")).connections as JsonObject[]).map(({ agent_id: id }) => id);
  const part = async (afterMs: number) => {
    await net.clock.advance(afterMs);
    await ana.job("connections.part");
    await net.settle();
  };
  for (const { id } of [bo, cy]) await ana.tool("set_impression", { agent_id: id, score: -0.5 });
  await part(HOUR_MS - MINUTE_MS);
  expect((await peers(ana)).toSorted()).toEqual([bo.id, cy.id].toSorted());
  await ana.tool("set_impression", { agent_id: cy.id, score: 0.1 });
  await part(2 * MINUTE_MS);
  expect(await peers(ana)).toEqual([cy.id]);
  expect(await peers(bo)).toEqual([]);
  expect(await peers(cy)).toEqual([ana.id]);
  const { notes_of_this_node: notes } = await ana.tool("list_inbox");
  expect(notes).toEqual([
    { at: expect.any(String), agent_id: bo.id, note: expect.stringContaining("below zero for an hour") },
  ]);
});

test("small favours never reach certainty, and no score leaves its range", () => {
  const favour = fc.double({ min: -0.1, max: 0.1, noNaN: true });
  fc.assert(
    fc.property(fc.array(favour, { maxLength: 100 }), (favours) => {
      const score = favours.reduce(adjusted, 0);
      return score >= -1 && score <= 1;
    }),
  );
  const kind = fc.double({ min: 0, max: 0.1, noNaN: true });
  fc.assert(fc.property(fc.array(kind, { maxLength: 40 }), (kinds) => kinds.reduce(adjusted, 0) < 1));
});

test("a delivered message moves our trust in the peer a little", async () => {
  await using net = await memoryNetwork({ nodes: ["ana", "bo"] });
  const { ana, bo } = net.nodes;
  await net.connect("ana", "bo");
  await ana.tool("set_impression", { agent_id: bo.id, score: 0.5, note: "kept" });
  await ana.tool("send_message", { content: "hi" });
  expect(await ana.tool("get_impression", { agent_id: bo.id })).toMatchObject({
    score: 0.5005,
    note: "kept",
  });
});

test("a peer is asked what it thinks of another, and its words are marked and cut", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const bo = stranger(net.clock, net.hosts.ana);
  await bo.post(ana, "connection_request", bo.request());
  const ask = () => ana.tool("ask_impression", { ask_agent_id: bo.id, about_agent_id: ABOUT });
  bo.answers(() => [200, { has_impression: true, score: 0.7, note: "n".repeat(5000) }]);
  const heard = await ask();
  expect(heard).toMatchObject({ success: true, asked: bo.id, about: ABOUT, score: 0.7 });
  expect(heard).toMatchObject({ has_impression: true, peer_words: expect.any(String) });
  expect(String(heard.impression)).toHaveLength(1000);
  for (const body of [
    { has_impression: false },
    { has_impression: true, score: 7 },
    { has_impression: "yes" },
    [],
  ]) {
    bo.answers(() => [200, body as JsonObject]);
    expect(await ask()).toMatchObject({ success: true, has_impression: false, impression: null });
  }
  const stranger_ = { ask_agent_id: ABOUT, about_agent_id: bo.id };
  expect(await ana.tool("ask_impression", stranger_)).toMatchObject({ success: false });
});

test("for a request that waits every connection is asked, and whom we trust most is named", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const peers = [0, 1, 2, 3].map((at) =>
    stranger(net.clock, net.hosts.ana, { port: 9000 + at, seed: 200 + at }),
  );
  const scores = [0.2, -0.5, undefined, undefined];
  for (const [at, peer] of peers.entries()) {
    await peer.post(ana, "connection_request", peer.request());
    const score = scores[at];
    peer.answers(() =>
      score === undefined ? [500, {}] : [200, { has_impression: true, score, note: `note ${at}` }],
    );
  }
  await ana.tool("set_impression", { agent_id: peers[1]?.id, score: 0.9 });
  const asking = stranger(net.clock, net.hosts.ana, { port: 9009, seed: 222, url: "https://far.example" });
  await asking.post(ana, "connection_request", asking.request(), PUBLIC);
  await net.settle();
  expect(await ana.tool("list_pending_requests")).toMatchObject({
    requests: [
      {
        peer_trust: {
          peers_queried: 4,
          peers_with_opinion: 2,
          avg_score: -0.15,
          most_trusted_recommender: {
            agent_id: peers[1]?.id,
            your_trust_in_them: 0.9,
            their_score: -0.5,
            their_note: "note 1",
          },
        },
      },
    ],
  });
});

test("with nobody to ask the answer says so", async () => {
  await using net = await memoryNetwork({ nodes: ["ana"] });
  const { ana } = net.nodes;
  const asking = stranger(net.clock, net.hosts.ana, { url: "https://far.example" });
  await asking.post(ana, "connection_request", asking.request(), PUBLIC);
  await net.settle();
  const { requests } = await ana.tool("list_pending_requests");
  expect((requests as JsonObject[])[0]?.peer_trust).toEqual({
    peers_queried: 0,
    peers_with_opinion: 0,
    avg_score: null,
  });
});
