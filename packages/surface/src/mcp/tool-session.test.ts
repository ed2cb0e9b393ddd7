import { expect, test } from "vitest";
import { sampleTable } from "../testing/sample-table.ts";
import { toolHarness } from "../testing/tool-harness.ts";

test("a tool of the owner's commands is neither shown to an agent nor known when it is called", async () => {
  const table = sampleTable();
  const harness = toolHarness(table);
  expect(harness.names("agent")).not.toContain("owners");
  await expect(harness.call("owners", {}, { session: "agent" })).rejects.toThrow("no tool is called owners");
  expect(await harness.call("owners", {}, { session: "owner" })).toMatchObject({ success: true });
  expect(table.calls.map(({ call }) => call.session)).toEqual(["owner"]);
});
