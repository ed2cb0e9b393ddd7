import { createWindowLimiter, type Guard, json, type Route, ready, refusal } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/** Pushes of one address a minute, before any signature is looked at: several agents may tell all they share. */
const PUSHES_PER_MINUTE = 1000;

export function shardRoutes({ ports, shards, isReady }: Services): Route[] {
  const limiter = createWindowLimiter({ clock: ports.clock });
  const rate: Guard = ({ remote }) =>
    limiter.take(remote.address, PUSHES_PER_MINUTE) ? undefined : refusal(429, "Too many shards");

  return [
    {
      method: "POST",
      path: "/__darkmatter__/shard_push",
      summary: "Leaves a peer's shard here.",
      guards: [ready(isReady), rate],
      body: "json",
      async handle({ json: body }) {
        return json(200, { success: true, shard_id: await shards.take(body) });
      },
    },
  ];
}
