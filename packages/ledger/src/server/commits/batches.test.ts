import { virtualClock } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { createBatches } from "./batches.ts";

test("what comes while a batch is under way is the next one, in its order", async () => {
  const batches: number[][] = [];
  const gate = Promise.withResolvers<void>();
  const { add } = createBatches<number, number>({
    run: async (orders) => {
      batches.push([...orders]);
      await gate.promise;
      return orders.map((order) => -order);
    },
    sizeOf: () => 1,
    clock: virtualClock(),
  });
  const first = add(1);
  while (batches.length === 0) await Promise.resolve();
  const others = [2, 3].map(add);
  expect(batches).toEqual([[1]]);
  gate.resolve();
  expect(await Promise.all([first, ...others])).toEqual([-1, -2, -3]);
  expect(batches).toEqual([[1], [2, 3]]);
});

test("a batch holds so much and so many, and one larger order alone", async () => {
  const batches: number[][] = [];
  const { add } = createBatches<number, number>({
    run: async (orders) => {
      batches.push([...orders]);
      return orders;
    },
    sizeOf: (order) => order,
    clock: virtualClock(),
  });
  const sizes = [1, 3_000_000, 2_000_000, 9_000_000, ...Array.from({ length: 130 }, () => 1)];
  await Promise.all(sizes.map(add));
  expect(batches.map(({ length }) => length)).toEqual([2, 1, 1, 128, 2]);
});

test("more orders than may wait are refused as busy, and the others are not harmed", async () => {
  const gate = Promise.withResolvers<void>();
  const { add } = createBatches<number, number>({
    run: async (orders) => {
      await gate.promise;
      return orders;
    },
    sizeOf: () => 1,
    clock: virtualClock(),
  });
  const asked = Array.from({ length: 4200 }, (_, at) => add(at));
  const outcomes = Promise.allSettled(asked);
  await expect(add(0)).rejects.toMatchObject({ code: "busy", status: 503 });
  gate.resolve();
  const refused = (await outcomes).filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(4200 - 4096);
});
