import { expect, test } from "vitest";
import { namesOf, outOfSight } from "./knowledge.ts";
import type { Machine } from "./machine.ts";
import type { Pair } from "./site.ts";

/**
 * `h…` is hidden behind a router that maps no port, `m…` behind one that does, all others in the open; `fast`'s clock is
 * two minutes ahead.
 */
function lost(names: readonly string[], connected: readonly Pair[], moved: readonly string[]): string[] {
  const machines = names.map(
    (name) => ({ name, isMapped: name.startsWith("m"), skewMs: name === "fast" ? 120_000 : 0 }) as Machine,
  );
  const behind = names.filter((name) => /^[hm]/.test(name));
  const routers = new Map(behind.map((name) => [name, {} as never]));
  const gone = new Set(machines.filter(({ name }) => moved.includes(name)));
  return [...outOfSight({ machines, routers, moved: gone, pairs: connected })];
}

test("whoever cannot be called does not hear that its only peer moved", () => {
  expect(lost(["h", "a"], [[0, 1]], ["a"])).toEqual([namesOf({ name: "a" }, { name: "h" })]);
  expect(lost(["h", "a"], [[0, 1]], [])).toEqual([]);
});

test("who stayed and can be called is told where the other is", () => {
  expect(lost(["m", "a"], [[0, 1]], ["a"])).toEqual([]);
  expect(lost(["m", "a"], [[0, 1]], ["m"])).toEqual([]);
  expect(lost(["m", "a"], [[0, 1]], ["a", "m"])).toHaveLength(1);
});

test("two in the open hear each other's beacons, wherever they moved", () => {
  expect(lost(["a", "b"], [[0, 1]], ["a", "b"])).toEqual([]);
});

test("whose clock is far from the other's does not believe its beacons, and needs a friend of both", () => {
  expect(lost(["a", "fast"], [[0, 1]], ["a", "fast"])).toEqual(["a,fast"]);
  expect(lost(["a", "fast"], [[0, 1]], ["fast"])).toEqual([]);
  const triangle: Pair[] = [
    [0, 1],
    [0, 2],
    [1, 2],
  ];
  expect(lost(["a", "fast", "b"], triangle, ["a", "fast"])).toEqual([]);
});

test("a friend of both leads them together, once it is in touch with both itself", () => {
  const triangle: Pair[] = [
    [0, 1],
    [0, 2],
    [1, 2],
  ];
  expect(lost(["h", "a", "b"], triangle, ["a"])).toEqual([]);
  expect(lost(["h", "a", "b"], triangle, ["a", "b"])).toEqual(["a,h", "b,h"]);
});
