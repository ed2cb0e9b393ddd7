import { expect, test } from "vitest";
import type { PoolHandler } from "./handler.ts";
import { createHandlers } from "./handlers.ts";
import { createOwnHandlers } from "./own-handlers.ts";
import type { Pool } from "./pool.ts";

const mine: PoolHandler = {
  handlerType: "mine",
  proxy: async () => ({ statusCode: 200, headers: {}, body: new Uint8Array(), cost: "0.5" }),
};
const pool = (more: Partial<Pool> = {}) =>
  ({ poolId: "p", handlerType: "mine", handlerModule: "/mine.js", ...more }) as Pool;

function loading(exported: () => unknown) {
  const handlers = createHandlers();
  const [reports, loads]: [string[], string[]] = [[], []];
  const own = createOwnHandlers(
    handlers,
    (event) => void reports.push(event),
    async (path) => {
      loads.push(path);
      return exported();
    },
  );
  return { handlers, own, reports, loads };
}

test("the owner's own handler is loaded by the first call of its pool, once", async () => {
  const { handlers, own, loads } = loading(() => mine);
  expect(handlers.getHandler("mine")).toBeUndefined();
  await Promise.all([own.load(pool()), own.load(pool())]);
  await own.load(pool());
  expect(handlers.getHandler("mine")).toBe(mine);
  expect(loads).toEqual(["/mine.js"]);
});

test("a pool of a known handler, or without a module, loads nothing", async () => {
  const { own, loads } = loading(() => mine);
  await own.load(pool({ handlerType: "passthrough" }));
  await own.load(pool({ handlerModule: null }));
  expect(loads).toEqual([]);
});

test.each([undefined, {}, { handlerType: "mine" }, { proxy: () => 1 }, [{}], "x"])(
  "a module that exports %j is reported, and no handler",
  async (exported) => {
    const { handlers, own, reports } = loading(() => exported);
    await own.load(pool());
    expect(handlers.getHandler("mine")).toBeUndefined();
    expect(reports).toEqual(["pool.handler-module"]);
  },
);

test("a module that throws is reported", async () => {
  const { own, reports } = loading(() => {
    throw new Error("broken");
  });
  await own.load(pool());
  expect(reports).toEqual(["pool.handler-module"]);
});
