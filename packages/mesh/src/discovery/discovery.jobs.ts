import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function discoveryJobs({ discovery, ports }: Services): Job[] {
  if (!ports.config.discovery) return [];
  return [
    {
      name: "discovery.local",
      periodMs: 30 * SECOND_MS,
      async run() {
        await discovery.scan();
      },
    },
  ];
}
