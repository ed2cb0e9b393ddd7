import { MINUTE_MS } from "@darkmatter/core";
import { createWindowLimiter, type Guard, json, type Route, ready, refusal } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/**
 * Requests a minute of one address, and of all. They are public and unsigned, so they have limits of their own: games
 * must not use up what messages need, and one caller not what the others need.
 */
const LIMITS = {
  match: { caller: 600, all: 3000 },
  signal: { caller: 60, all: 120 },
  result: { caller: 60, all: 300 },
} as const;

/** The routes of the fee, under both names (mesh.md 5.5). */
export function antimatterRoutes({ ports, isReady, antimatter }: Services): Route[] {
  const limiter = createWindowLimiter({ clock: ports.clock, windowMs: MINUTE_MS });

  const limited = (what: keyof typeof LIMITS): Guard => {
    const { caller, all } = LIMITS[what];
    return ({ remote }) => {
      const isTaken = limiter.take(`${what} ${remote.address}`, caller) && limiter.take(what, all);
      return isTaken ? undefined : refusal(429, "Too many AntiMatter requests; wait a minute.");
    };
  };

  const route = (what: keyof typeof LIMITS, summary: string, handle: Route["handle"]): Route[] =>
    ["antimatter", "gas"].map((name) => ({
      method: "POST",
      path: `/__darkmatter__/${name}_${what}`,
      summary,
      guards: [ready(isReady), limited(what)],
      body: "json",
      handle,
    }));

  return [
    ...route("match", "Plays along in another agent's match game.", async ({ json: body, remote }) =>
      json(200, antimatter.sessions.answer(body, remote.address)),
    ),
    ...route("signal", "Hands this agent a fee that looks for its taker.", async ({ json: body }) => {
      await antimatter.takeSignal(body);
      return json(200, { accepted: true });
    }),
    ...route("result", "Tells who gets a fee this agent sent on its way.", async ({ json: body }) =>
      json(200, { status: await antimatter.takeResult(body) }),
    ),
  ];
}
