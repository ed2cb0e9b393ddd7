import { HOUR_MS } from "@darkmatter/core";
import { virtualClock } from "@darkmatter/core/testing";
import { netError } from "@darkmatter/net";
import { expect, test } from "vitest";
import { testLedger } from "../testing/test-ledger.ts";
import { type TestAgent, type TestServer, testServer } from "../testing/test-server.ts";
import { createHandOver } from "./hand-over.ts";
import { introduce } from "./introduction.ts";
import type { ServerCalls } from "./server-calls.ts";

/** Calls in the name of one agent; `isLost` loses the answers of commits. */
function callsOf(server: TestServer, by: TestAgent, line: { isLost: boolean }): ServerCalls {
  return {
    get: async (path) => (await server.call({ path }, by)).json as never,
    async post(path, body, key) {
      const headers = { "content-type": "application/json", "idempotency-key": key ?? "" };
      const { json } = await server.call({ method: "POST", path, body: Buffer.from(body), headers }, by);
      if (line.isLost) throw netError("CONNECTION_LOST");
      return json as never;
    },
  };
}

test("what one server answered says nothing of what another one has", async () => {
  const clock = virtualClock({ startMs: 1_795_255_200_000 });
  await using node = await testLedger({ seed: 1, clock });
  await using server = await testServer();
  const [one, other] = [await server.account("one"), await server.account("other")];
  const line = { isLost: false };
  let by = other;
  const calls: ServerCalls = {
    get: (path) => callsOf(server, by, line).get(path),
    post: (path, body, key) => callsOf(server, by, line).post(path, body, key),
  };
  const handOver = createHandOver({ ...node, calls });
  const handTo = (agent: TestAgent) => {
    by = agent;
    return handOver.next({ url: "https://ledger.test", agentId: agent.id });
  };
  for (by of [one, other]) await introduce(calls, node.signer.agentId);
  await node.append({ trace: "a" });
  line.isLost = true;
  await expect(handTo(other)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  line.isLost = false;
  for (const { advance } of [clock, server.clock]) await advance(30 * HOUR_MS);

  expect([await handTo(one), await handTo(other)]).toEqual([true, true]);

  for (const agent of [one, other]) {
    const { json } = await server.call({ path: "/api/pull" }, agent);
    expect(json).toMatchObject({ count: 1 });
  }
});
