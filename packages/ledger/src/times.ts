import { SECOND_MS } from "@darkmatter/core";

let latest = { second: Number.NaN, text: "" };

/** A time of the ledger: `YYYY-MM-DDTHH:MM:SSZ`, the fraction cut off. Most are asked for many times in a row. */
export function secondsTime(unixMs: number): string {
  const second = Math.floor(unixMs / SECOND_MS);
  if (second !== latest.second) {
    const text = new Date(second * SECOND_MS).toISOString();
    latest = { second, text: `${text.slice(0, -".000Z".length)}Z` };
  }
  return latest.text;
}

/** With milliseconds: when something was accepted or exported. */
export function millisecondsTime(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
