/** Chance that can be had again: the same seed, the same numbers from 0 to below 1. */
export type Dice = () => number

/** Mulberry32, begun by any words. */
export function diceOf(...words: readonly (string | number)[]): Dice {
  let state = 0x811c9dc5
  for (const char of words.join(' ')) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
