/** What takes minutes takes turns, so that a whole run stays short. */
import { seed } from '../packages/server/src/testing/dice.ts'

/** Whether number so and so has its turn: one in `share`, another one each time (`COUNTERMAND_SEED`); all with COUNTERMAND_ROWS=all. */
export const hasItsTurn = (number: number, share: number): boolean =>
  process.env.COUNTERMAND_ROWS === 'all' || (number + seed) % share === 0
