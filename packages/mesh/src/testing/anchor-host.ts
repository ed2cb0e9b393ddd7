import type { JsonObject, Random } from "@darkmatter/core";
import { parseJson } from "@darkmatter/core";
import type { VirtualClock } from "@darkmatter/core/testing";
import { createVerifier } from "@darkmatter/identity";
import type { Handler } from "@darkmatter/net";
import type { MemoryHost, MemoryInternet } from "@darkmatter/net/testing";
import { type Database, openSqlite } from "@darkmatter/store";
import { createHandler } from "@darkmatter/surface";
import { type Anchor, createAnchor } from "../anchor/anchor.ts";

/** An anchor on a host of the memory internet. */
export interface AnchorHost extends AsyncDisposable {
  readonly url: string;
  readonly host: MemoryHost;
  readonly handler: Handler;
  readonly anchor: Anchor;
  readonly db: Database;
  /** Every body that was posted to it, as it lay on the wire. */
  readonly posted: ReadonlyArray<{ readonly path: string; readonly body: JsonObject }>;
}

export async function anchorHost(options: {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly internet: MemoryInternet;
  readonly address?: string;
  readonly trustProxy?: boolean;
  readonly db?: Database;
}): Promise<AnchorHost> {
  const { clock, random, internet, address = "5.6.7.250", trustProxy = false } = options;
  const db = options.db ?? (await openSqlite({ path: ":memory:" }));
  const verifier = createVerifier({ threads: "never" });
  const anchor = createAnchor({ db, clock, random, verifier, config: { trustProxy } });
  await anchor.start();
  const posted: Array<{ path: string; body: JsonObject }> = [];
  const served = createHandler(anchor.routes, {
    onError: ({ error }) => {
      throw error;
    },
  });
  const handler: Handler = (request) => {
    const text = Buffer.from(request.body).toString("utf8");
    if (request.method === "POST")
      posted.push({ path: request.path, body: (parseJson(text) ?? {}) as JsonObject });
    return served(request);
  };
  const host = internet.host({ address });
  host.listen(5001, handler);
  return {
    url: `http://${address}:5001`,
    host,
    handler,
    anchor,
    db,
    posted,
    [Symbol.asyncDispose]: () => db.close(),
  };
}
