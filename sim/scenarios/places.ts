import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Machine } from "../machine.ts";
import { type Scenario, type Stage, scenario, shown } from "./stage.ts";

const pairOf = ({ machines }: Stage) => machines as unknown as [Machine, Machine, Machine];

/** Nodes that move, stand behind routers, or are told lies about where others are. */
export const PLACES: readonly Scenario[] = [
  scenario("moved", "a peer at a new address is reached within seconds", async (stage) => {
    const [one, other] = pairOf(stage);
    other.kill();
    other.host.move("5.6.7.99");
    other.port += 50;
    await stage.start(other);
    await stage.mustArrive(other, await stage.send(one, other), 5 * SECOND_MS);
  }),

  scenario("moved-awake", "a peer whose address changes under it is reached again", async (stage) => {
    const [one, other] = pairOf(stage);
    other.host.move("5.6.7.99");
    await stage.mustArrive(other, await stage.send(one, other), MINUTE_MS);
    await stage.mustArrive(one, await stage.send(other, one), MINUTE_MS);
  }),

  scenario("both-moved", "two that move at once find each other through a third", async (stage) => {
    const [one, other] = pairOf(stage);
    one.kill();
    other.kill();
    one.host.move("5.6.7.98");
    other.host.move("5.6.7.99");
    await Promise.all([stage.start(one), stage.start(other)]);
    await stage.mustArrive(other, await stage.send(one, other), MINUTE_MS);
    await stage.mustArrive(one, await stage.send(other, one), MINUTE_MS);
  }),

  scenario(
    "never-removed",
    "a connection stays however long its peer is away",
    async (stage) => {
      const [one, other] = pairOf(stage);
      other.kill();
      await stage.pass(60 * MINUTE_MS);
      if (!(await shown(stage, one, other))) stage.problem("the connection is gone");
      await stage.start(other);
      await stage.mustArrive(other, await stage.send(one, other), MINUTE_MS);
    },
    true,
  ),

  scenario(
    "router-moved",
    "a mapped node behind a router with a new address is reached again",
    async (stage) => {
      const [one] = pairOf(stage);
      const router = stage.world.internet.nat({ address: "7.7.7.7" });
      const inside = await stage.add({ router, portMapping: true });
      await stage.pass(30 * SECOND_MS);
      await stage.connect(inside, one);
      await stage.mustArrive(inside, await stage.send(one, inside), MINUTE_MS);
      router.forget();
      router.move("7.7.7.8");
      await stage.mustArrive(inside, await stage.send(one, inside), 6 * MINUTE_MS);
    },
  ),

  scenario(
    "behind-router",
    "a node behind a router that maps nothing is reached over a channel",
    async (stage) => {
      const one = await stage.add({ channels: true });
      const inside = await stage.add({ router: stage.world.internet.nat({ address: "7.7.7.7" }) });
      await stage.connect(inside, one);
      await stage.mustArrive(inside, await stage.send(one, inside), 3 * MINUTE_MS);
    },
  ),

  scenario(
    "two-routers",
    "two behind different routers talk, introduced by a peer in the open",
    async (stage) => {
      const router = stage.world.internet.nat({ address: "7.7.7.7" });
      const one = await stage.add({ channels: true });
      const left = await stage.add({ router });
      const right = await stage.add({ router: stage.world.internet.nat({ address: "7.7.7.8" }) });
      await stage.connect(left, one);
      await stage.connect(right, one);
      const opened = router.forward(40_000, left.host, left.port);
      await stage.connect(right, left, "http://7.7.7.7:40000");
      opened[Symbol.dispose]();
      left.kill();
      await stage.pass(MINUTE_MS);
      await stage.start(left);
      await stage.mustArrive(right, await stage.send(left, right), 3 * MINUTE_MS);
      await stage.mustArrive(left, await stage.send(right, left), 3 * MINUTE_MS);
    },
  ),

  scenario("same-router", "two behind one router meet by their own addresses", async (stage) => {
    const router = stage.world.internet.nat({ address: "7.7.7.7" });
    const [left, right] = [await stage.add({ router }), await stage.add({ router })];
    await stage.connect(left, right);
    await stage.mustArrive(right, await stage.send(left, right), 5 * SECOND_MS);
    left.host.move("192.168.7.77");
    await stage.mustArrive(left, await stage.send(right, left), MINUTE_MS);
  }),
];
