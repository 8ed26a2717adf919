/** `npm run bench`: every published ratio, each against a baseline in the same run. */
import { benchCancels } from './cancels.ts'

const actions = Number(process.env.COUNTERMAND_BENCH_ACTIONS ?? 100_000)
await benchCancels(actions, Number(process.env.COUNTERMAND_BENCH_ROUND ?? 5_000))
