import { createServer } from "node:net";
import { hasCode } from "@darkmatter/core";
import { expect, test } from "vitest";
import { candidates, listen } from "./adapters/listen.ts";

const options = {
  handler: async () => ({ status: 200, headers: {}, body: "" }),
  host: "127.0.0.1",
  before: 0,
  maxBodyBytes: 1024,
  onError: () => undefined,
};

async function busyPort() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port, [Symbol.asyncDispose]: close };
}

test("a port that is somebody else's is left to them, and the node listens at the next that is free", async () => {
  await using other = await busyPort();
  await using another = await busyPort();
  const server = await listen({ ...options, port: other.port, ways: [another.port, 0] });
  expect([other.port, another.port]).not.toContain(server.port);
  await server.close();
});

test("when no port is free, the error names those tried", async () => {
  await using other = await busyPort();
  await using another = await busyPort();
  const refused = await listen({ ...options, port: other.port, ways: [another.port] }).catch(
    (error) => error,
  );
  expect(hasCode(refused, "PORTS_BUSY")).toBe(true);
  expect(refused.message).toContain(`${other.port}, ${another.port}`);
});

test("a node stays where its peers know it, if it may choose, and goes where it is told otherwise", () => {
  expect(candidates(8100, 0)[0]).toBe(8100);
  expect(candidates(8100, 8103).slice(0, 3)).toEqual([8103, 8100, 8101]);
  expect(candidates(9000, 8103).slice(0, 2)).toEqual([9000, 8100]);
  expect(candidates(8100, 40_000)[0]).toBe(8100);
  expect(candidates(0, 40_000)).toEqual([40_000, 0]);
  expect(candidates(0, 0)).toEqual([0]);
});
