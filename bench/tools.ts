import type { Figures } from "./lib/figures.ts";
import { makeHome } from "./lib/home.ts";
import { openSession } from "./lib/session.ts";

/** What a client's model reads before it has done anything: the tools of a node that knows nobody. */
export async function measureTools(figures: Figures): Promise<void> {
  await using home = makeHome({});
  const session = await openSession(home);
  const result = await session.request("tools/list");
  figures.add("tools.list_bytes", Buffer.byteLength(JSON.stringify(result)), "bytes", { most: 16_384 });
}
