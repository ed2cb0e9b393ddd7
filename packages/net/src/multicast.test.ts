import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { utf8 } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { createMulticast } from "./index.ts";
import { type MulticastUnderTest, multicastSuite, SUITE_GROUP } from "./testing/multicast-suite.ts";
import { memoryLan } from "./testing.ts";

async function inMemory(): Promise<MulticastUnderTest> {
  const lan = memoryLan();
  let count = 0;
  return {
    pass: () => new Promise((resolve) => setImmediate(resolve)),
    [Symbol.asyncDispose]: async () => undefined,
    async machine() {
      const address = `10.77.68.${++count}`;
      const heard: string[] = [];
      let isIn = true;
      const multicast = lan.multicastOf({ address: () => (isIn ? address : undefined) });
      const member = () => {
        if (!joined) throw new Error("join first");
        return joined;
      };
      let joined: Awaited<ReturnType<typeof multicast.join>> | undefined;
      return {
        address,
        async join() {
          joined = await multicast.join(SUITE_GROUP, (datagram) => {
            heard.push(`${datagram.address} ${new TextDecoder().decode(datagram.bytes)}`);
          });
        },
        send: (text) => member().send(utf8(text)),
        close: () => member().close(),
        heard: async () => heard,
        plug: async (value) => {
          isIn = value;
        },
      };
    },
  };
}

describe("multicast (in memory)", () => {
  for (const { title, run } of multicastSuite(inMemory)) test(title, run);

  test("what carries datagrams decides whether, when and how often they arrive", async () => {
    const ways: string[] = [];
    const lan = memoryLan({
      carry(deliver, from, to) {
        ways.push(`${from} ${to}`);
        if (to === "10.0.0.2") return;
        deliver();
        deliver();
      },
    });
    const heard: string[] = [];
    const join = (address: string) =>
      lan.multicastOf({ address: () => address }).join(SUITE_GROUP, () => void heard.push(address));
    const one = await join("10.0.0.1");
    await join("10.0.0.2");
    await join("10.0.0.3");
    await one.send(utf8("x"));
    expect(ways).toEqual(["10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.3"]);
    expect(heard).toEqual(["10.0.0.3", "10.0.0.3"]);
  });
});

/** Why there can be no networks of namespaces here; `undefined` when there can. */
function noNamespaces(): string | undefined {
  try {
    execFileSync(
      "unshare",
      ["--user", "--map-root-user", "--net", "ip", "link", "add", "name", "lan0", "type", "bridge"],
      {
        stdio: "ignore",
      },
    );
    return undefined;
  } catch {
    return "no network namespaces are permitted here";
  }
}

const LAN = fileURLToPath(new URL("./testing/children/multicast-lan.ts", import.meta.url));

describe("multicast (UDP)", () => {
  const missing = noNamespaces();

  test("keeps the suite between network namespaces", { timeout: 60_000 }, async ({ skip }) => {
    if (missing) skip(missing);
    const unshared = ["--user", "--map-root-user", "--net", process.execPath, LAN];
    const { stdout } = await promisify(execFile)("unshare", unshared);
    const results = JSON.parse(stdout) as Array<{ title: string; problem: string | null }>;
    expect(results.filter(({ problem }) => problem !== null)).toEqual([]);
    expect(results.map(({ title }) => title)).toEqual(multicastSuite(inMemory).map(({ title }) => title));
  });

  test("an address that is no group's is told as MULTICAST_FAILED", async () => {
    const group = { address: "10.0.0.1", port: 0, ttl: 1 };
    const joining = createMulticast().join(group, () => undefined);
    await expect(joining).rejects.toMatchObject({ code: "MULTICAST_FAILED" });
  });
});
