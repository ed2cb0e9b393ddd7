import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function receiptJobs({ giving }: Services): Job[] {
  return [{ name: "receipts.tell", periodMs: 30 * SECOND_MS, atStart: true, run: () => giving.tellDue() }];
}
