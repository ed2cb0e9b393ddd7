import { json, type Route, ready, refusal } from "@darkmatter/surface";
import { local } from "../guards.ts";
import type { Services } from "../services.ts";
import { inputFrom, poolActs } from "./pool-acts.ts";

/** What other agents ask of our pools (mesh.md 11.2). */
function publicRoutes({ db, isReady, pools, buying, proxy }: Services): Route[] {
  const guards = [ready(isReady)];
  return [
    {
      method: "GET",
      path: "/__darkmatter__/pool_info/:pool_id",
      summary: "What a pool offers, at which prices.",
      guards,
      body: "none",
      async handle({ params }) {
        const info = await pools.info(db, params.pool_id ?? "");
        return info ? json(200, info) : refusal(404, "Pool not found");
      },
    },
    {
      method: "POST",
      path: "/__darkmatter__/pool_buy",
      summary: "Gives a consumer a balance it paid for, or that the owner gives.",
      guards,
      body: "json",
      handle: ({ json: body }) => buying.buy(body),
    },
    {
      method: "POST",
      path: "/__darkmatter__/pool_proxy",
      summary: "Calls a provider of a pool, paid from a balance.",
      guards,
      body: "json",
      handle: (request) => proxy.call(request.json, request.signal),
    },
  ];
}

/** The same, for whoever manages the pools with curl. */
function localRoutes(services: Services): Route[] {
  const guards = [ready(services.isReady), local()];
  return poolActs(services).flatMap((act): Route[] => {
    if (!act.route) return [];
    const [method, path] = act.route;
    return [
      {
        method,
        path: `/__darkmatter__/pools${path}`,
        summary: `${act.summary} This machine only.`,
        guards,
        body: method === "POST" ? "json" : "none",
        handle: async ({ json: body, params }) =>
          json(200, await act.run(inputFrom(act, { ...body, ...params }))),
      },
    ];
  });
}

export const poolRoutes = (services: Services): Route[] => [
  ...publicRoutes(services),
  ...localRoutes(services),
];
