import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";
import { PARTING_PERIOD_MS, partFromDisliked } from "./parting.ts";

export function connectionJobs(services: Services): Job[] {
  const { announcements } = services;
  return [
    { name: "connections.part", periodMs: PARTING_PERIOD_MS, run: () => partFromDisliked(services) },
    {
      name: "connections.announce",
      periodMs: 5 * SECOND_MS,
      atStart: true,
      run: () => announcements.tell(),
    },
  ];
}
