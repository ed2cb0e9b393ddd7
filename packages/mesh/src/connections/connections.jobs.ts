import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function connectionJobs({ announcements }: Services): Job[] {
  return [
    {
      name: "connections.announce",
      periodMs: 5 * SECOND_MS,
      atStart: true,
      run: () => announcements.tell(),
    },
  ];
}
