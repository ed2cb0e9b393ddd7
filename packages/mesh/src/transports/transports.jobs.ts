import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

/** A look every 5 s costs one read; each peer's own pause says how often an attempt is made (mesh.md 9.2). */
export function transportJobs({ ports, upgrades }: Services): Job[] {
  if (!ports.webRtc) return [];
  return [{ name: "transports.upgrade", periodMs: 5 * SECOND_MS, run: () => upgrades.poll() }];
}
