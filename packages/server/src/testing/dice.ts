/** Chance that can be had again: the same seed, the same numbers. */
export interface Dice {
  /** A whole number from 0, below `below`. */
  (below: number): number
}

/** `COUNTERMAND_SEED`, else another one each time; name it where something fails. */
export const seed = Number(process.env.COUNTERMAND_SEED ?? Date.now() % 1_000_000)

/** Mulberry32. */
export function dice(from: number): Dice {
  let state = from >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

export const oneOf = <Item>(roll: Dice, items: readonly [Item, ...Item[]]): Item =>
  items[roll(items.length)] ?? items[0]

export const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n)
