import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commitmentOf, isCommitted } from "./picks.ts";
import { createSessions, SESSION_LIFETIME_MS, SESSIONS_MAX, SESSIONS_PER_CALLER_MAX } from "./sessions.ts";

const NONCE = "5a".repeat(32);
const bound = (pick: number) => commitmentOf(pick, NONCE) ?? "";

function setUp() {
  const clock = virtualClock({ startMs: 0 });
  const sessions = createSessions({ clock, random: seededRandom(5) });
  const begin = (n = 4, pick = 3, caller = "a") =>
    sessions.answer({ phase: "commit", signal_id: "am-1", n, orchestrator_commitment: bound(pick) }, caller);
  const reveal = (token: unknown, pick: unknown = 3, nonce: unknown = NONCE) =>
    sessions.answer(
      { phase: "reveal", session_token: token, orchestrator_pick: pick, orchestrator_nonce: nonce } as never,
      "a",
    );
  return { clock, sessions, begin, reveal };
}

test("what is revealed is what was committed to", () => {
  const { begin, reveal } = setUp();
  for (let round = 0; round < 20; round++) {
    const { peer_commitment: commitment, session_token: token } = begin();
    const { peer_pick: pick, peer_nonce: nonce } = reveal(token);
    expect(isCommitted(String(commitment), pick, nonce)).toBe(true);
    expect(Number(pick)).toBeLessThanOrEqual(4);
  }
});

test("a session serves once, whatever it was used for", () => {
  const { begin, reveal } = setUp();
  const first = begin().session_token;
  reveal(first);
  expect(() => reveal(first)).toThrow("session");
  const second = begin().session_token;
  expect(() => reveal(second, 2)).toThrow("commitment");
  expect(() => reveal(second, 3)).toThrow("session");
  const third = begin().session_token;
  expect(() => reveal(third, undefined, null)).toThrow("Missing");
  expect(() => reveal(third, 3)).toThrow("session");
});

test("a holder that is bound to nothing, or to a pick outside 0 to n, learns nothing of ours", () => {
  const { begin, reveal, sessions } = setUp();
  expect(() => sessions.answer({ phase: "commit", n: 4 }, "a")).toThrow("commitment");
  expect(() => reveal(begin(4, 5).session_token, 5)).toThrow("commitment");
  expect(() => reveal(begin(4, 2 ** 31).session_token, 2 ** 31)).toThrow("commitment");
});

test("a session ends after ten seconds", async () => {
  const { begin, reveal, clock } = setUp();
  const [kept, late] = [begin().session_token, begin().session_token];
  await clock.advance(SESSION_LIFETIME_MS);
  reveal(kept);
  await clock.advance(1);
  expect(() => reveal(late)).toThrow("session");
});

test("games that are begun and never ended use up their caller's places, not the others', and for ten seconds", async () => {
  const { begin, clock } = setUp();
  for (let at = 0; at < SESSIONS_PER_CALLER_MAX; at++) begin();
  expect(() => begin()).toThrow("Too many");
  begin(4, 3, "b");
  await clock.advance(SESSION_LIFETIME_MS + 1);
  begin();
});

test("there is a bound over all callers", () => {
  const { begin } = setUp();
  for (let at = 0; at < SESSIONS_MAX; at++) begin(4, 3, `caller ${at}`);
  expect(() => begin(4, 3, "one more")).toThrow("Too many");
});

test("no body makes it answer anything but a game, a pick in range, or a refusal", () => {
  const { sessions } = setUp();
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("commit", "reveal", 5, 2 ** 31, "00".repeat(32)));
  const names = [
    "phase",
    "n",
    "orchestrator_commitment",
    "session_token",
    "orchestrator_pick",
    "orchestrator_nonce",
  ];
  const body = fc.dictionary(fc.constantFrom(...names), value);
  fc.assert(
    fc.property(body, (given) => {
      try {
        const answer = sessions.answer(given as never, "fuzz");
        if ("pick" in answer) expect(Number(answer.pick)).toBeLessThanOrEqual(Number(given.n));
        else expect(answer).toHaveProperty("peer_commitment");
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(BAD_REQUEST|TOO_MANY)$/) });
      }
    }),
  );
});
