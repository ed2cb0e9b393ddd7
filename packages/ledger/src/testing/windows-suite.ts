import { MINUTE_MS } from "@darkmatter/core";
import { type VirtualClock, virtualClock } from "@darkmatter/core/testing";
import { UNLIMITED } from "@darkmatter/surface";
import { describe, expect, type TestContext, test } from "vitest";
import type { Windows } from "../server/ports.ts";

/** Windows of a clock, and how to let go of them. */
export type MakeWindows = (
  context: TestContext,
  clock: VirtualClock,
) => Promise<{ readonly windows: Windows; readonly close: () => Promise<void> }>;

/** What every `Windows` keeps. */
export function windowsSuite(name: string, make: MakeWindows): void {
  describe(`windows: ${name}`, () => {
    const each = (title: string, run: (windows: Windows, clock: VirtualClock) => Promise<void>) =>
      test(title, async (context) => {
        const clock = virtualClock({ startMs: 1_795_255_200_000 });
        const { windows, close } = await make(context, clock);
        await run(windows, clock).finally(close);
      });

    each(
      "acts are let pass up to the limit, until the window that the first began is over",
      async (windows, clock) => {
        const take = () => windows.take("a", 2, MINUTE_MS);
        expect(await take()).toEqual({ isAllowed: true, limit: 2, remaining: 1, resetMs: MINUTE_MS });
        await clock.advance(MINUTE_MS / 2);
        expect(await take()).toEqual({ isAllowed: true, limit: 2, remaining: 0, resetMs: MINUTE_MS / 2 });
        expect(await take()).toEqual({ isAllowed: false, limit: 2, remaining: 0, resetMs: MINUTE_MS / 2 });
        expect((await windows.take("b", 2, MINUTE_MS)).remaining).toBe(1);
        await clock.advance(MINUTE_MS / 2 - 1);
        expect((await take()).isAllowed).toBe(false);
        await clock.advance(1);
        expect(await take()).toEqual({ isAllowed: true, limit: 2, remaining: 1, resetMs: MINUTE_MS });
      },
    );

    each(
      "amounts count as they are; one that does not fit is not counted, and a smaller one may fit",
      async (windows) => {
        const take = (amount: number) => windows.take("bytes", 100, MINUTE_MS, amount);
        expect(await take(101)).toMatchObject({ isAllowed: false, remaining: 100 });
        expect(await take(60)).toMatchObject({ isAllowed: true, remaining: 40 });
        expect(await take(41)).toMatchObject({ isAllowed: false, remaining: 40 });
        expect(await take(40)).toMatchObject({ isAllowed: true, remaining: 0 });
        expect(await take(0)).toMatchObject({ isAllowed: true, remaining: 0 });
      },
    );

    each("what is given back may be taken again, and never more than that", async (windows) => {
      const take = (amount: number) => windows.take("a", 3, MINUTE_MS, amount);
      expect(await take(-1)).toMatchObject({ isAllowed: true, remaining: 3 });
      await take(3);
      expect(await take(-1)).toMatchObject({ isAllowed: true, remaining: 1 });
      expect(await take(-5)).toMatchObject({ remaining: 3 });
      expect(await take(4)).toMatchObject({ isAllowed: false, remaining: 3 });
    });

    each(
      "acts at once are counted one by one; without a limit all pass, with none at zero",
      async (windows) => {
        const all = await Promise.all(Array.from({ length: 20 }, () => windows.take("a", 7, MINUTE_MS)));
        expect(all.filter(({ isAllowed }) => isAllowed)).toHaveLength(7);
        for (let time = 0; time < 9; time++)
          expect((await windows.take("a", UNLIMITED, MINUTE_MS)).isAllowed).toBe(true);
        expect((await windows.take("none", 0, MINUTE_MS)).isAllowed).toBe(false);
      },
    );
  });
}
