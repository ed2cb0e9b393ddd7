import { expect, test } from "vitest";
import { z } from "zod";
import { chainWorld } from "../../testing/server-chain-world.ts";
import { testServer } from "../../testing/test-server.ts";
import { ContextPassport } from "./passport-schema.ts";

test("every passport is as the schema says that anybody may read; one that lacks a member is not", async () => {
  await using server = await testServer();
  const { ana, bo, tip } = await chainWorld(server);
  await server.call({ path: `/api/fork/${tip}`, body: {} }, bo);
  const answers = [
    await server.call({ path: "/api/pull" }, ana),
    await server.call({ path: "/api/pull" }, bo),
    await server.call({ path: "/api/search" }, ana),
  ];
  const passports = answers.flatMap(({ json }) => {
    const { contexts, results } = json as { contexts?: object[]; results?: object[] };
    return contexts ?? results ?? [];
  });
  expect(passports.length).toBe(18);
  for (const passport of passports) {
    expect(ContextPassport.safeParse(passport).error).toBeUndefined();
    const { integrity: _, ...rest } = passport as { integrity: unknown };
    expect(ContextPassport.safeParse(rest).success).toBe(false);
  }
  const { $schema } = passports[0] as { $schema: string };
  const { json, status, headers } = await server.call({ path: new URL($schema).pathname });
  expect([status, headers["content-type"]]).toEqual([200, "application/schema+json"]);
  expect(json).toMatchObject({ ...z.toJSONSchema(ContextPassport), $id: $schema });
});
