/** Signed things are fresh when their time lies within this of ours, inclusive (mesh.md 2). */
export const FRESH_WITHIN_MS = 300_000;

const ISO =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?)(Z|[+-]\d{2}:?\d{2}(?::?\d{2})?)$/;

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
  const [, day, clock, fraction, zone] = parts as unknown as [
    string,
    string,
    string,
    string | undefined,
    string,
  ];
  const whole = Date.parse(`${day}T${clock.replace(/\..*$/, "")}Z`);
  // Date.parse rolls 30 February and 24:00 over into the next day: no other reader does.
  if (Number.isNaN(whole) || !new Date(whole).toISOString().startsWith(day)) return undefined;
  return whole - offsetMs(zone) + (fraction ? Number(`0.${fraction}`) * 1000 : 0);
}

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
