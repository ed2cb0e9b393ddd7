import type { JsonObject } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { type Ask, playGame } from "./game.ts";
import { commitmentOf } from "./picks.ts";
import { createSessions } from "./sessions.ts";

const clock = virtualClock({ startMs: 0 });
const NONCE = "ab".repeat(32);

/** Peers that are our own code, and those that behave as they are told. */
function table(count: number, odd: Record<number, (body: JsonObject) => JsonObject | undefined> = {}) {
  const random = seededRandom(11);
  const sessions = Array.from({ length: count }, () => createSessions({ clock, random }));
  const bodies: JsonObject[] = [];
  const ask: Ask<number> = async (player, body) => {
    bodies.push(body);
    const answer = odd[player];
    return answer ? answer(body) : sessions[player]?.answer(body, "holder");
  };
  const players = Array.from({ length: count }, (_, at) => at);
  return { ask, players, bodies, play: (seed: number) => playGame("am-1", players, ask, seededRandom(seed)) };
}

/** A peer that always picks the same, and reveals what it is told to. */
const fixed = (pick: number, reveals: JsonObject = { peer_pick: pick, peer_nonce: NONCE }) => {
  const bound = commitmentOf(pick, NONCE) ?? "";
  return (body: JsonObject): JsonObject =>
    body.phase === "commit" ? { peer_commitment: bound, session_token: "t" } : reveals;
};

test("honest peers are asked twice, and nobody sees the pick before all are bound", async () => {
  const { play, bodies } = table(5);
  const { liars } = await play(1);
  expect(liars).toEqual([]);
  expect(bodies.map(({ phase }) => phase)).toEqual([...Array(5).fill("commit"), ...Array(5).fill("reveal")]);
  for (const body of bodies.slice(0, 5)) {
    expect(Object.keys(body).sort()).toEqual(["n", "orchestrator_commitment", "phase", "signal_id"]);
  }
});

test("it is a match exactly when a peer picked what the holder picked", async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const { play, bodies } = table(1, { 0: fixed(1) });
    const { outcome } = await play(seed);
    expect(outcome === "match").toBe(bodies[1]?.orchestrator_pick === 1);
    outcomes.add(outcome);
  }
  expect(outcomes).toEqual(new Set(["match", "no_match"]));
});

test("a peer that reveals another pick than it was bound to is named, and its pick does not count", async () => {
  let saw = 0;
  const liar = (body: JsonObject): JsonObject => {
    if (body.phase === "commit") return { peer_commitment: commitmentOf(0, NONCE) ?? "", session_token: "t" };
    saw = Number(body.orchestrator_pick);
    return { peer_pick: saw, peer_nonce: NONCE };
  };
  for (let seed = 0; seed < 20; seed++) {
    const { play } = table(1, { 0: liar });
    const { outcome, liars } = await play(seed);
    if (saw === 0) expect({ outcome, liars }).toEqual({ outcome: "match", liars: [] });
    else expect({ outcome, liars }).toEqual({ outcome: "no_match", liars: [0] });
  }
});

test("a pick outside 0 to n counts for nothing, even when it was committed to", async () => {
  for (const pick of [2, 2 ** 31, 2 ** 32 - 1]) {
    for (let seed = 0; seed < 6; seed++) {
      const { outcome, liars } = await table(1, { 0: fixed(pick) }).play(seed);
      expect({ outcome, liars }).toEqual({ outcome: "no_match", liars: [] });
    }
  }
});

test("a peer of the first generation's first days tells its pick at once, within the range or not at all", async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 20; seed++)
    outcomes.add((await table(1, { 0: () => ({ pick: 1 }) }).play(seed)).outcome);
  expect(outcomes).toEqual(new Set(["match", "no_match"]));
  for (const pick of [2, -1, 0.5, "1", null]) {
    expect((await table(1, { 0: () => ({ pick }) }).play(1)).outcome).toBe("nobody");
  }
});

test("peers that are silent, or answer junk, are left out; where nobody is bound there is no game", async () => {
  const junk: Array<JsonObject | undefined> = [
    undefined,
    {},
    { peer_commitment: "x", session_token: "t" },
    { peer_commitment: "AB".repeat(32), session_token: "t" },
    { peer_commitment: "ab".repeat(32), session_token: "" },
    { peer_commitment: "ab".repeat(32), session_token: "t".repeat(129) },
    { peer_commitment: "ab".repeat(32), session_token: 7 },
  ];
  const odd = Object.fromEntries(junk.map((answer, at) => [at, () => answer]));
  expect(await table(junk.length, odd).play(1)).toEqual({ outcome: "nobody", liars: [] });
  expect(await table(0).play(1)).toEqual({ outcome: "nobody", liars: [] });
  const { play } = table(2, {
    0: (body) => (body.phase === "commit" ? fixed(0)(body) : undefined),
    1: fixed(2),
  });
  expect((await play(2)).liars).toEqual([]);
});
