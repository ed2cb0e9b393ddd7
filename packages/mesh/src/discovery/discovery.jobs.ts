import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function discoveryJobs({ discovery, ports }: Services): Job[] {
  if (!ports.config.discovery) return [];
  const jobs: Job[] = [
    {
      name: "discovery.local",
      periodMs: 30 * SECOND_MS,
      async run() {
        await discovery.scan();
      },
    },
    { name: "discovery.prune", periodMs: 30 * SECOND_MS, run: async () => discovery.prune() },
  ];
  const lan: Job = { name: "discovery.lan", periodMs: SECOND_MS, atStart: true, run: () => discovery.tick() };
  return ports.multicast ? [...jobs, lan] : jobs;
}
