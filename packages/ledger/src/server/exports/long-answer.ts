import { utf8 } from "@darkmatter/core";
import type { Answer } from "@darkmatter/surface";

/** Characters of an answer that is sent in one piece; longer ones are sent as they are made. */
export const WHOLE_CHARACTERS_MAX = 1_000_000;

/** The body of an answer that may be very long: it is never held as a whole, unless it is short. */
export async function bodyOf(pieces: AsyncGenerator<string>): Promise<Answer["body"]> {
  let begun = "";
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return begun;
    begun += value;
    if (begun.length > WHOLE_CHARACTERS_MAX) return rest(begun, pieces);
  }
}

async function* rest(begun: string, pieces: AsyncGenerator<string>): AsyncGenerator<Uint8Array> {
  yield utf8(begun);
  for await (const piece of pieces) yield utf8(piece);
}

/** Texts of a list's items, as the text between its brackets. */
export async function* commaed(texts: AsyncIterable<readonly string[]>): AsyncGenerator<string> {
  let isFirst = true;
  for await (const page of texts) {
    if (page.length === 0) continue;
    yield (isFirst ? "" : ",") + page.join();
    isFirst = false;
  }
}
