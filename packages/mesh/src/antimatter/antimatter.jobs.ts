import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function antimatterJobs({ antimatter }: Services): Job[] {
  return [
    { name: "antimatter.attend", periodMs: 5 * SECOND_MS, atStart: true, run: () => antimatter.attend() },
    { name: "antimatter.forget", periodMs: MINUTE_MS, run: () => antimatter.forget() },
  ];
}
