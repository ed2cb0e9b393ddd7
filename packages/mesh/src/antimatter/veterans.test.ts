import { isoTime } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { AGE_MAX_MS, type Candidate, chooseVeteran, drawFraction } from "./veterans.ts";

const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const DAY = 86_400_000;
const wallet = "AtFV6EW8WTYbwYzemJW32SzA2dnSZYoszHkVutbSaqMg";
const aged = (agentId: string, days: number, score = 0.5): Candidate => ({
  agentId,
  createdAt: isoTime(NOW_MS - days * DAY),
  score,
  wallet,
});
const self = { selfCreatedAt: isoTime(NOW_MS - DAY), nowMs: NOW_MS };

test("who is excluded is never chosen, whatever it weighs", () => {
  const candidates = [aged("payer", 1000, 1), aged("payee", 1000, 1), aged("other", 2, 0.01)];
  const excluded = new Set(["payer", "payee"]);
  for (const draw of [0, 0.5, 0.999999]) {
    expect(chooseVeteran(candidates, { ...self, excluded, draw })?.agentId).toBe("other");
  }
});

test("chances go by age times score", () => {
  const random = seededRandom(3);
  const candidates = [aged("a", 100, 0.5), aged("b", 300, 0.5)];
  const wins = Array.from({ length: 4000 }, () => {
    const draw = drawFraction(random);
    return chooseVeteran(candidates, { ...self, excluded: new Set(), draw })?.agentId;
  }).filter((id) => id === "b").length;
  // 0.75 ± 4 standard errors
  expect(Math.abs(wins / 4000 - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / 4000));
});

test("an age beyond five years counts as five: a peer says itself when it was born", () => {
  const ancient: Candidate = { ...aged("ancient", 0), createdAt: "0001-01-01T00:00:00+00:00" };
  const old = aged("old", AGE_MAX_MS / DAY);
  const draws = [0.25, 0.75];
  const chosen = draws.map(
    (draw) => chooseVeteran([ancient, old], { ...self, excluded: new Set(), draw })?.agentId,
  );
  expect(chosen).toEqual(["ancient", "old"]);
});

test("a peer without an age, one born in the future, or as old as us is no veteran", () => {
  const none = [
    { ...aged("no-age", 9), createdAt: null },
    { ...aged("junk", 9), createdAt: "yesterday" },
    aged("future", -9),
    aged("twin", 1),
    { ...aged("poor", 9), wallet: undefined },
    aged("unscored", 9, 0),
  ];
  expect(chooseVeteran(none, { ...self, excluded: new Set(), draw: 0.5 })).toBeUndefined();
});
