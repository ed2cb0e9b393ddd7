import assert from "node:assert/strict";
import { utf8 } from "@darkmatter/core";
import type { SuiteCase } from "@darkmatter/core/testing";
import type { MulticastGroup } from "../multicast.ts";

/** A machine of the network, with one membership of the group at most. */
export interface MulticastMachine {
  readonly address: string;
  /** Joins the group. */
  join(): Promise<void>;
  send(text: string): Promise<void>;
  close(): Promise<void>;
  /** What it heard so far, as `<source address> <text>`. */
  heard(): Promise<readonly string[]>;
  /** Takes its only interface down, or brings it back under the same address. */
  plug(isIn: boolean): Promise<void>;
}

/** A local network of machines on which multicast is tried. */
export interface MulticastUnderTest extends AsyncDisposable {
  machine(): Promise<MulticastMachine>;
  /** Waits until what is under way has arrived. */
  pass(): Promise<void>;
}

/** The group the suite speaks to. */
export const SUITE_GROUP: MulticastGroup = { address: "239.77.68.77", port: 8470, ttl: 2 };

/** What every `Multicast` keeps: `for (const { title, run } of multicastSuite(make)) test(title, run)`. */
export function multicastSuite(make: () => Promise<MulticastUnderTest>): readonly SuiteCase[] {
  const on = (title: string, body: (lan: MulticastUnderTest) => Promise<void>): SuiteCase => ({
    title,
    async run() {
      await using lan = await make();
      await body(lan);
    },
  });
  const refused = (promise: Promise<unknown>) => assert.rejects(promise, { code: "MULTICAST_FAILED" });

  return [
    on(
      "a datagram reaches every other machine, from the sender's address, and not the sender",
      async (lan) => {
        const [one, two, three] = [await lan.machine(), await lan.machine(), await lan.machine()];
        for (const machine of [one, two, three]) await machine.join();
        await one.send("hello");
        await lan.pass();
        assert.deepEqual(await one.heard(), []);
        assert.deepEqual(await two.heard(), [`${one.address} hello`]);
        assert.deepEqual(await three.heard(), [`${one.address} hello`]);
      },
    ),
    on("bytes of any kind and 8 KiB at once arrive as they were sent", async (lan) => {
      const [one, two] = [await lan.machine(), await lan.machine()];
      for (const machine of [one, two]) await machine.join();
      const text = `${"é\0\r\n".repeat(1500)}.`;
      assert.ok(utf8(text).length > 7000);
      await one.send(text);
      await lan.pass();
      assert.deepEqual(await two.heard(), [`${one.address} ${text}`]);
    }),
    on("who has left hears nothing, and sends nothing", async (lan) => {
      const [one, two] = [await lan.machine(), await lan.machine()];
      for (const machine of [one, two]) await machine.join();
      await two.close();
      await one.send("hello");
      await lan.pass();
      assert.deepEqual(await two.heard(), []);
      await refused(two.send("late"));
      await two.join();
      await one.send("again");
      await lan.pass();
      assert.deepEqual(await two.heard(), [`${one.address} again`]);
    }),
    on("without a network it says so, and goes on when there is one again", async (lan) => {
      const [one, two] = [await lan.machine(), await lan.machine()];
      for (const machine of [one, two]) await machine.join();
      await one.plug(false);
      await refused(one.send("into the void"));
      await lan.pass();
      assert.deepEqual(await two.heard(), []);
      await one.plug(true);
      await one.send("back");
      await two.send("welcome");
      await lan.pass();
      assert.deepEqual(await two.heard(), [`${one.address} back`]);
      assert.deepEqual(await one.heard(), [`${two.address} welcome`]);
    }),
    on("a machine without a network cannot join", async (lan) => {
      const one = await lan.machine();
      await one.plug(false);
      await refused(one.join());
      await one.plug(true);
      await one.join();
    }),
  ];
}
