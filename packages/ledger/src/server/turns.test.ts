import { expect, test } from "vitest";
import { longChain } from "../testing/server-chain-world.ts";
import { testServer } from "../testing/test-server.ts";
import { createLongActs, createTurns } from "./turns.ts";

/** An act that ends when it is told to. */
function held(name: string, began: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const act = async () => {
    began.push(name);
    await promise;
    return name;
  };
  return { act, end: resolve };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("few run at a time, the others in their order; one that fails makes room, too; those beyond are refused", async () => {
  const turns = createTurns(1, 2);
  const began: string[] = [];
  const [first, second] = [held("first", began), held("second", began)];
  const failing = turns.run(async () => {
    await first.act();
    throw new Error("no");
  });
  const waiting = [turns.run(second.act), turns.run(async () => began.push("third"))];
  await expect(turns.run(async () => "fourth")).rejects.toMatchObject({ code: "overloaded" });
  expect([began, turns.isIdle]).toEqual([["first"], false]);
  first.end();
  await expect(failing).rejects.toThrow("no");
  await settled();
  expect(began).toEqual(["first", "second"]);
  second.end();
  await Promise.all(waiting);
  expect([began, turns.isIdle]).toEqual([["first", "second", "third"], true]);
});

test("one caller's long acts leave the line of all to the others", async () => {
  const acts = createLongActs({ ofOne: 2, ofAll: 3 });
  const began: string[] = [];
  const each = ["a1", "a2", "a3", "b1", "c1"].map((name) => held(name, began));
  const runs = each.map(({ act }, at) => acts.run("aaabc"[at] ?? "", act));
  await settled();
  expect(began).toEqual(["a1", "a2", "b1"]);
  for (const { end } of each) end();
  await Promise.all(runs);
  expect(began).toEqual(["a1", "a2", "b1", "c1", "a3"]);
});

test("of the long chains that one stranger looks at, few are walked at once; others are not kept waiting", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const tip = (await longChain(server, ana, 600)).at(-1) ?? "";
  await server.call({ path: `/api/share/${tip}`, body: {} }, ana);
  const ended: string[] = [];
  const ask = async (name: string, address: string) => {
    const { status } = await server.call({ path: `/r/${tip}`, remote: address });
    expect(status).toBe(200);
    ended.push(name);
  };
  const many = Array.from({ length: 12 }, () => ask("many", "203.0.113.1"));
  await Promise.all([...many, ask("one", "203.0.113.2")]);
  expect(ended.indexOf("one")).toBeLessThan(6);
});
