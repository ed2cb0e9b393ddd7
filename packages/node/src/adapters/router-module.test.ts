import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadRouters } from "./router-module.ts";

async function moduleOf(text: string) {
  const folder = await mkdtemp(join(tmpdir(), "darkmatter-router-"));
  const path = join(folder, "router.mjs");
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test("a default export is asked before the rules; a chain takes their place", async () => {
  expect(await loadRouters(undefined)).toBeUndefined();
  await using first = await moduleOf("export default () => ({ action: 'drop' });");
  expect(await loadRouters(first.path)).toMatchObject({ replaces: false, routers: [expect.any(Function)] });
  await using chain = await moduleOf("export const chain = [() => null, async () => null];");
  expect(await loadRouters(chain.path)).toMatchObject({ replaces: true, routers: { length: 2 } });
});

test.each([
  ["that is not there", undefined, /cannot be used/],
  ["that does not load", "export default (", /cannot be used/],
  ["that throws", "throw new Error('no such mood');", /no such mood/],
  ["that exports nothing", "export const other = 1;", /neither a default function/],
  ["whose chain is empty", "export const chain = [];", /array of functions/],
])("a module %s is refused by its name", async (_what, text, why) => {
  if (text === undefined) {
    await expect(loadRouters(join(tmpdir(), "there-is-no-such-router.mjs"))).rejects.toThrow(why);
    return;
  }
  await using module = await moduleOf(text);
  await expect(loadRouters(module.path)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(why),
  });
});
