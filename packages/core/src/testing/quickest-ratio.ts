const TURNS = 5;
const TURNS_MAX = 20;

/**
 * How many times as long one act takes as another, by the quickest turn of each. They take turns, so that other
 * programs slow down both; where the ratio is `most` or more, in more turns: the machine is given a chance, slow code
 * is not.
 */
export function quickestRatio(one: () => void, other: () => void, most: number): number {
  let [least, leastOther] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let turn = 0; turn < TURNS || (turn < TURNS_MAX && least / leastOther >= most); turn++) {
    leastOther = Math.min(leastOther, msOf(other));
    least = Math.min(least, msOf(one));
  }
  return least / leastOther;
}

function msOf(act: () => void): number {
  const began = performance.now();
  act();
  return performance.now() - began;
}
