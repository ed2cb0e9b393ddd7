import { type JsonObject, utf8 } from "@darkmatter/core";
import type { Answer } from "@darkmatter/surface";

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  // A proxy that gathers would hold each event back until the last.
  "x-accel-buffering": "no",
};

/** Events as they come, each framed and on one line. */
export function eventStream(
  events: AsyncIterable<JsonObject>,
  framed: (event: JsonObject) => JsonObject,
): Answer {
  async function* body(): AsyncGenerator<Uint8Array> {
    for await (const event of events) yield utf8(`data: ${JSON.stringify(framed(event))}\n\n`);
  }
  return { status: 200, headers: HEADERS, body: body() };
}
