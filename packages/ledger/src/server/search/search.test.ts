import { expect, test } from "vitest";
import { testServer } from "../../testing/test-server.ts";

test("a commit is found the moment it is answered", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const commit = await server.commit(ana, { payload: { output: 'caf\u00e9 "quoted" C:\\temp' } });
  for (const q of ["CAFÉ", '"quoted"', "c:\\t", "é"]) {
    const { status, json } = await server.call({ path: `/api/search?q=${encodeURIComponent(q)}` }, ana);
    expect(status).toBe(200);
    expect(json).toMatchObject({ total: 1, count: 1, query: q, nextCursor: null, results: [{ id: commit.id }] });
  }
});
