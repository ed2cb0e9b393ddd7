import { HOUR_MS, SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function paymentJobs({ payments }: Services): Job[] {
  return [
    { name: "payments.finish", periodMs: 5 * SECOND_MS, atStart: true, run: () => payments.finish() },
    { name: "payments.check", periodMs: 5 * SECOND_MS, atStart: true, run: () => payments.check() },
    { name: "payments.prune", periodMs: HOUR_MS, run: () => payments.prune() },
  ];
}
