import { SECOND_MS } from "@darkmatter/core";
import { type Account, short } from "./account.ts";
import type { Agent } from "./agent.ts";
import { heldBy } from "./evidence.ts";
import { namesOf, outOfSight } from "./knowledge.ts";
import { type Connected, within } from "./site.ts";
import type { Site } from "./weather.ts";
import type { World } from "./world.ts";

/** A message sent over a whole network arrives within this. */
const ARRIVES_WITHIN_MS = 60 * SECOND_MS;
const LOOK_EVERY_MS = SECOND_MS;

/** Sends a message over every connection, both ways: each must arrive, unless nobody can tell where its agent is. */
export async function probe(
  world: World,
  site: Site & Connected,
  agents: readonly Agent[],
  account: Account,
): Promise<void> {
  const { machines, pairs } = site;
  const unknown = outOfSight(site);
  const ways = pairs.flatMap(([one, other]) => [
    [one, other],
    [other, one],
  ]);
  const probing = ways.map(async ([from = 0, to = 0]) => {
    const [sender, target] = [agents[from], machines[to]];
    if (!sender || !target) return;
    const said = await sender.send([target.id], `probe of ${from} to ${to}`);
    const id = String(said?.message_id);
    for (let waited = 0; waited < ARRIVES_WITHIN_MS; waited += LOOK_EVERY_MS) {
      if ((await heldBy(target, id)) > 0) return;
      await world.clock.sleep(LOOK_EVERY_MS);
    }
    if (unknown.has(namesOf(sender.machine, target))) return;
    account.problem(
      `not healed: n${from} to n${to} (${short(target.id)}): ${JSON.stringify(said?.error ?? said)}`,
    );
  });
  await within(world, Promise.all(probing), 3 * ARRIVES_WITHIN_MS);
}
