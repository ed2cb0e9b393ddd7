import { verifyInclusion } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { testServer } from "../../testing/test-server.ts";

type Committed = {
  id: string;
  integrity: { integrity_hash: string; parent_hash: string | null };
  _proof: { leaf_hash: string; tree_root: string; tree_size: number; inclusion_proof: { proof: never[] } };
};

test("commits chain, and each answer proves that it is in the log", async () => {
  await using server = await testServer();
  const ana = await server.account();
  let parent: Committed | undefined;
  for (let step = 0; step < 9; step++) {
    const commit = (await server.commit(ana, {
      payload: { output: step },
      parentId: parent?.id ?? null,
    })) as unknown as Committed;
    expect(commit.integrity.parent_hash).toBe(parent?.integrity.integrity_hash ?? null);
    const { leaf_hash: leaf, tree_root: root, tree_size: size, inclusion_proof } = commit._proof;
    expect(verifyInclusion({ leaf, root, size, index: step, proof: inclusion_proof.proof })).toBe(true);
    parent = commit;
  }
});

test("numbers of a payload come back as they were sent", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const body = '{"payload":{"a":1.0,"b":1e-7,"c":9007199254740993}}';
  const { status, text } = await server.call({ path: "/api/commit", body }, ana);
  expect(status).toBe(200);
  expect(text).toContain('"payload":{"a":1.0,"b":1e-7,"c":9007199254740993}');
});

test("a parent of another account is as one that does not exist", async () => {
  await using server = await testServer();
  const [ana, bo] = [await server.account(), await server.account()];
  const theirs = await server.commit(bo, { payload: {} });
  const answers = await Promise.all(
    [theirs.id, "ctx_1_000000000000"].map((parentId) =>
      server.call({ path: "/api/commit", body: { payload: {}, parentId } }, ana),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual([404, 404]);
  expect(answers[0]?.text).toBe(answers[1]?.text);
});

test("without a key there is 401, and a sentence that says so", async () => {
  await using server = await testServer();
  const { status, json } = await server.call({ path: "/api/commit", body: { payload: {} } });
  expect(status).toBe(401);
  expect(json).toMatchObject({ code: "unauthorized", error: expect.stringMatching(/credential/) });
});
