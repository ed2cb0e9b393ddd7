import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryNetwork } from "@darkmatter/mesh/testing";
import { tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { readStateOnce, writeState } from "./state-file.ts";

async function nodeAndFile() {
  const cleanUp = new AsyncDisposableStack();
  const net = cleanUp.use(await memoryNetwork({ nodes: ["ana"] }));
  const { ana } = net.nodes;
  const path = join(cleanUp.use(tempFolder()).path, "state.json");
  const bio = async () => (await ana.tool("get_identity")).bio;
  const holds = (text: string) =>
    writeFileSync(path, JSON.stringify({ agent_id: ana.id, bio: text, connections: {} }));
  return { ana, path, bio, holds, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
}

test("the state file is taken over once: what it says later is not believed", async () => {
  await using given = await nodeAndFile();
  const { ana, path, bio, holds } = given;
  holds("from the file");
  await readStateOnce(ana.db, ana.mesh, path);
  expect(await bio()).toBe("from the file");
  holds("from an old file");
  await readStateOnce(ana.db, ana.mesh, path);
  expect(await bio()).toBe("from the file");
});

test("a first start without a file reads none that appears later", async () => {
  await using given = await nodeAndFile();
  const { ana, path, bio, holds } = given;
  const before = await bio();
  await readStateOnce(ana.db, ana.mesh, path);
  holds("from a file");
  await readStateOnce(ana.db, ana.mesh, path);
  expect(await bio()).toBe(before);
});

test("a file of another agent, or a damaged one, is never written over", async () => {
  await using given = await nodeAndFile();
  const { ana, path } = given;
  for (const text of ["{ damaged", JSON.stringify({ agent_id: "ab".repeat(32), connections: {} })]) {
    writeFileSync(path, text);
    await expect(writeState(ana.db, ana.mesh, path, ana.id)).rejects.toMatchObject({
      code: "STATE_FILE_KEPT",
    });
    expect(readFileSync(path, "utf8")).toBe(text);
  }
});
