import { json, type Route, ready } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function shardRoutes({ shards, isReady }: Services): Route[] {
  return [
    {
      method: "POST",
      path: "/__darkmatter__/shard_push",
      summary: "Leaves a peer's shard here.",
      guards: [ready(isReady)],
      body: "json",
      async handle({ json: body }) {
        return json(200, { success: true, shard_id: await shards.take(body) });
      },
    },
  ];
}
