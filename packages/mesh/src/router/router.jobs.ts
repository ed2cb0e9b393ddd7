import { MINUTE_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export const routerJobs = ({ router }: Services): Job[] => [
  { name: "router.resume", periodMs: MINUTE_MS, atStart: true, run: () => router.resume() },
];
