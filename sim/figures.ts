import type { Figures } from "../bench/lib/figures.ts";
export async function measure(_figures: Figures): Promise<void> {}
