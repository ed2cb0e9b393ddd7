import type { Figures } from "../lib/figures.ts";
import { measureAppend } from "./append.ts";
import { measureCanonical } from "./canonical.ts";
import { measureOverhead } from "./overhead.ts";
import { measureVerify } from "./verify.ts";

/** What proof costs, from the text of one payload to a whole conversation. */
export async function measureLedger(figures: Figures, size: { readonly short: boolean }): Promise<void> {
  await measureCanonical(figures, size);
  await measureVerify(figures, size);
  await measureAppend(figures, size);
  await measureOverhead(figures, size);
}
