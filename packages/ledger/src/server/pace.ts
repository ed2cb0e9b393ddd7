import type { Clock } from "@darkmatter/core";

/**
 * Characters of payloads that are looked at before others have their turn: some 25 ms for the most laborious JSON. One
 * payload that is larger is looked at in one go, nevertheless.
 */
const CHARACTERS_A_TURN = 256_000;

export type Pace = (characters: number) => Promise<void>;

/** Gives other work its turn after so much of one's own, to be told of in characters. */
export function createPace({
  clock,
}: {
  readonly clock: Pick<Clock, "turn">;
}): (characters: number) => Promise<void> {
  let done = 0;
  return async (characters) => {
    done += characters;
    if (done <= CHARACTERS_A_TURN) return;
    done = 0;
    await clock.turn();
  };
}
