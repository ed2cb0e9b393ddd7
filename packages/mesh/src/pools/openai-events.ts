import { isJsonObject, type JsonObject, parseJson } from "@darkmatter/core";

/** An event longer than this is passed on and not read. */
const LINE_MAX = 256 * 1024;

/** Reads along with a stream of events, to count them and to find the usage in one of the last. */
export interface Events {
  read(piece: Uint8Array): void;
  /** Events with data so far. */
  count(): number;
  /** The last event that told a usage. */
  last(): JsonObject | undefined;
}

export function createEvents(): Events {
  const decoder = new TextDecoder();
  let line = "";
  let isTooLong = false;
  let count = 0;
  let last: JsonObject | undefined;

  function ended(): void {
    const data = isTooLong ? undefined : /^data:\s?(.*?)\r?$/s.exec(line)?.[1];
    if (line.startsWith("data:")) count++;
    line = "";
    isTooLong = false;
    if (!data?.includes('"usage"')) return;
    const value = parseJson(data);
    if (isJsonObject(value) && isJsonObject(value.usage)) last = value;
  }

  return {
    read(piece) {
      const [first = "", ...rest] = decoder.decode(piece, { stream: true }).split("\n");
      append(first);
      for (const next of rest) {
        ended();
        append(next);
      }
    },
    count: () => count,
    last: () => last,
  };

  function append(text: string): void {
    if (line.length + text.length > LINE_MAX) isTooLong = true;
    else if (!isTooLong) line += text;
  }
}
