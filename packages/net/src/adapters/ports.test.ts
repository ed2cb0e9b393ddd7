import { createServer } from "node:net";
import { expect, test } from "vitest";
import { addressClass, firstFreePort, isPortFree, lanAddresses } from "../index.ts";

test("a port that somebody holds is not free, and the next candidate is found", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };

  expect(await isPortFree(port, "127.0.0.1")).toBe(false);
  expect(await firstFreePort([port], "127.0.0.1")).toBeUndefined();
  expect(await firstFreePort([port, 0], "127.0.0.1")).toBe(0);

  await new Promise((resolve) => holder.close(resolve));
  expect(await isPortFree(port, "127.0.0.1")).toBe(true);
});

test("what is told to others is neither loopback nor link-local", () => {
  for (const address of lanAddresses()) expect(["private", "public"]).toContain(addressClass(address));
});
