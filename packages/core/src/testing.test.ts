import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "./index.ts";
import { clockSuite, memoryFiles, seededRandom, virtualClock } from "./testing.ts";

describe("the system's clock", () => {
  const make = () => ({ clock: systemClock, pass: (durationMs: number) => systemClock.sleep(durationMs) });
  for (const { title, run } of clockSuite(make)) test(title, run);
});

describe("the virtual clock", () => {
  const make = () => {
    const clock = virtualClock({ startMs: 1_772_712_000_000 });
    return { clock, pass: clock.advance };
  };
  for (const { title, run } of clockSuite(make)) test(title, run);

  test("an hour passes in no time, and each sleeper sees its own instant", async () => {
    const clock = virtualClock();
    const seen: number[] = [];
    const napper = async () => {
      for (let nap = 0; nap < 3; nap++) {
        await clock.sleep(1_200_000);
        seen.push(clock.now());
      }
    };
    void napper();
    await clock.advance(3_600_000);
    expect(seen).toEqual([1_200_000, 2_400_000, 3_600_000]);
  });

  test("equal times run in the order they were asked for, whatever the order of the others", async () => {
    const naps = fc.array(fc.nat({ max: 5 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(naps, async (durations) => {
        const clock = virtualClock();
        const woken: number[] = [];
        durations.forEach((duration, index) => void clock.sleep(duration).then(() => woken.push(index)));
        await clock.advance(5);
        const sorted = durations.map((duration, index) => ({ duration, index }));
        sorted.sort((one, other) => one.duration - other.duration || one.index - other.index);
        expect(woken).toEqual(sorted.map(({ index }) => index));
      }),
      { numRuns: 20 },
    );
  });

  test("a skewed view shares the time but not the wall clock", async () => {
    const clock = virtualClock({ startMs: 1000, skewMs: 5 });
    const late = clock.skewed(-400);
    await Promise.all([late.sleep(100), clock.advance(100)]);
    expect([clock.now(), late.now(), late.monotonic()]).toEqual([1105, 700, 100]);
  });
});

describe("chance", () => {
  test("a seed always gives the same bytes, another seed others", () => {
    const draw = (seed: number) => [...seededRandom(seed).bytes(8)];
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
  });

  test.each([
    ["seeded", seededRandom(3)],
    ["the system's", systemRandom],
  ])("integers are uniform (%s)", (_name, random) => {
    const counts = new Array<number>(6).fill(0);
    for (let draw = 0; draw < 6000; draw++) counts[random.integer(6)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  test("integers stay below their bound up to 2^48, and a senseless bound is refused", () => {
    const random = seededRandom(1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 }), (below) => {
        const value = random.integer(below);
        return Number.isInteger(value) && value >= 0 && value < below;
      }),
    );
    for (const below of [0, -1, 1.5, Number.NaN, 2 ** 48 + 1]) {
      expect(() => random.integer(below)).toThrow(RangeError);
      expect(() => systemRandom.integer(below)).toThrow(RangeError);
    }
  });
});

describe("files in memory", () => {
  test("a file is there from its creation to its removal, and created only once", async () => {
    const files = memoryFiles({ "/a/old": "old" });
    expect(await files.create("/a/new", "one", 0o640)).toBe(true);
    expect(await files.create("/a/new", "two")).toBe(false);
    expect([await files.read("/a/new"), files.mode("/a/new")]).toEqual(["one", 0o640]);
    await files.makeFolder("/a/folder");
    await files.replace("/a/b/c", "");
    expect(await files.list("/a")).toEqual(["b", "folder", "new", "old"]);
    await files.remove("/a/new");
    expect([await files.read("/a/new"), await files.exists("/a/new"), await files.exists("/a/b")]).toEqual([
      undefined,
      false,
      true,
    ]);
  });

  test("where writing is forbidden it fails as on a read-only disk, elsewhere it does not", async () => {
    const files = memoryFiles();
    files.forbid("/a");
    await expect(files.replace("/a/b", "")).rejects.toMatchObject({ code: "EROFS" });
    await expect(files.create("/a/b", "")).rejects.toMatchObject({ code: "EROFS" });
    await files.replace("/ab", "");
  });
});
