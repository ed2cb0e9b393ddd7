import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";
import { RECEIPT_PAUSE_MS } from "./receipt.ts";

export function receiptJobs({ giving }: Services): Job[] {
  return [{ name: "receipts.tell", periodMs: RECEIPT_PAUSE_MS, atStart: true, run: () => giving.tellDue() }];
}
