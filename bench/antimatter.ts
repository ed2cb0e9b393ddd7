import { isoTime, MINUTE_MS } from "@darkmatter/core";
import { fakeSolana, memoryNetwork, stranger } from "@darkmatter/mesh/testing";
import { type Figures, median } from "./lib/figures.ts";

const PLAYERS = 50;

/**
 * From a signal that arrives to the word to its originator: one match game with 50 peers, each a whole node in this
 * process, both phases, over an internet in memory.
 */
export async function measureAntimatter(
  figures: Figures,
  { short }: { readonly short: boolean },
): Promise<void> {
  const players = Array.from({ length: PLAYERS }, (_, at) => `player${at}`);
  const config = { maxConnections: PLAYERS + 1 };
  await using net = await memoryNetwork({ nodes: ["holder", ...players], solana: fakeSolana(), config });
  const { holder } = net.nodes;
  if (!holder || !net.hosts.holder) throw new Error("There is no holder.");
  for (const player of players) await net.connect("holder", player);
  const bringer = stranger(net.clock, net.hosts.holder);
  await bringer.post(holder, "connection_request", bringer.request());

  const tookMs: number[] = [];
  for (let round = 0; round < (short ? 10 : 50); round++) {
    // Peers take a limited number of requests a minute.
    await net.clock.advance(MINUTE_MS);
    const told = new Promise<void>((resolve) => {
      bringer.answers(({ path }) => {
        if (path.endsWith("antimatter_result")) resolve();
        return undefined;
      });
    });
    const signal = {
      signal_id: `am-${round}`,
      original_tx: `tx${round}`,
      sender_agent_id: "f".repeat(64),
      amount: 0.01,
      token: "SOL",
      callback_url: `${bringer.url}/__darkmatter__/antimatter_result`,
      hops: 1,
      created_at: isoTime(net.clock.now()),
      path: [bringer.id],
    };
    const start = performance.now();
    const { status } = await bringer.post(holder, "antimatter_signal", signal);
    if (status !== 200) throw new Error(`The signal was answered ${status}.`);
    await told;
    tookMs.push(performance.now() - start);
    await net.settle();
  }
  figures.add("antimatter.game_ms", median(tookMs), "ms", { most: 50, noisy: true });
}
