import { testServer } from "@darkmatter/ledger/testing";
import { expect, test } from "vitest";
import { passportLines } from "../commands/ledger-client/passport-text.ts";
import { Pulled, Replayed } from "./answers.ts";

test("a row that the server can no longer read is listed as broken, beside the others", async () => {
  await using server = await testServer();
  const ana = await server.account("ana");
  const { id: first } = await server.commit(ana, { payload: { n: 1 } });
  const { id: second } = await server.commit(ana, { payload: { n: 2 }, parentId: first });
  await server.db.write(async (tx) => {
    const triggers = await tx.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'");
    for (const { name } of triggers) await tx.run(`DROP TRIGGER ${name}`);
    await tx.run("UPDATE ledger_commits SET claims = '{' WHERE id = ?", first);
  });
  const asked = async (path: string) => (await server.call({ path }, ana)).json;
  const { contexts } = Pulled.parse(await asked("/api/pull"));
  const [sound, broken] = passportLines(contexts);
  expect(sound).toMatch(new RegExp(`✓ .*${second}  commit`));
  expect(broken).toMatch(new RegExp(`✗ .*${first}  unreadable .*its row can no longer be read`));
  const { replay } = Replayed.parse(await asked(`/api/replay/${second}`));
  expect(replay).toMatchObject([
    { id: first, eventType: "unreadable", integrity: { chainValid: false } },
    { id: second, eventType: "commit" },
  ]);
});
