import { expect, test } from "vitest";
import { command, typed } from "../testing/commands.ts";
import { testHome } from "../testing/program.ts";

const BO = "ab".repeat(32);

test("the owner scores an agent, below zero too; what is no score says how it is called", {
  timeout: 60_000,
}, async () => {
  using home = testHome();
  expect(await command(home, "trust", BO, "0.8")).toMatchObject({
    code: 0,
    said: { agent_id: BO, score: 0.8, action: "created" },
  });
  expect(await command(home, "trust", BO, "-0.5")).toMatchObject({ said: { score: -0.5 } });
  for (const wrong of ["2", "much", ""]) {
    const { code, err } = await typed(home, "trust", BO, wrong);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/from -1 to 1.*\n.*--help/) });
  }
  const { score } = (await command(home, "trust", BO, "-0.5")).said;
  expect(score).toBe(-0.5);
});
