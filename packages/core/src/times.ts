/** Signed things are fresh when their time lies within this of ours, inclusive (mesh.md 2). */
export const FRESH_WITHIN_MS = 300_000;

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2}(?::?\d{2})?)$/;

/** ISO 8601 with `+00:00` and 0 or 3 fraction digits: what every version of Python parses (mesh.md 2). */
export function isoTime(unixMs: number): string {
  const text = new Date(unixMs).toISOString();
  return text.endsWith(".000Z") ? `${text.slice(0, -5)}+00:00` : `${text.slice(0, -1)}+00:00`;
}

/** Milliseconds since the epoch, with the fraction kept; `undefined` for a text without offset or no time at all. */
export function parseTime(text: string): number | undefined {
  if (text.length > 64) return undefined;
  const parts = ISO.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second = "0", fraction, zone = ""] = parts;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const whole = utcMs(Number(year), Number(month), Number(day));
  if (whole === undefined) return undefined;
  const clockMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
  return whole + clockMs - offsetMs(zone) + (fraction ? Number(`0.${fraction}`) * 1000 : 0);
}

/** Midnight of a day, `undefined` for 30 February and its like, which `Date` rolls over into the next month. */
function utcMs(year: number, month: number, day: number): number | undefined {
  // Years below 100 mean 19xx to `Date.UTC`; the calendar repeats every 400 years.
  const at = Date.UTC(year + 400, month - 1, day) - ERA_MS;
  return new Date(at).getUTCMonth() === month - 1 ? at : undefined;
}

const ERA_MS = 146_097 * 86_400_000;

function offsetMs(zone: string): number {
  if (zone === "Z") return 0;
  const digits = zone.slice(1).replaceAll(":", "");
  const seconds =
    Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2, 4)) * 60 + Number(digits.slice(4, 6) || 0);
  return (zone[0] === "-" ? -seconds : seconds) * 1000;
}

export function isFresh(timestamp: string, nowMs: number): boolean {
  const at = parseTime(timestamp);
  return at !== undefined && Math.abs(nowMs - at) <= FRESH_WITHIN_MS;
}
