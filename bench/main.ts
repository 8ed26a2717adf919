/** `npm run bench`: every published ratio, each against a baseline in the same run. */
import { benchCancels } from './cancels.ts'
import { benchLastProcess } from './last-process.ts'

const actions = Number(process.env.COUNTERMAND_BENCH_ACTIONS ?? 100_000)
await benchLastProcess()
await benchCancels(actions, Number(process.env.COUNTERMAND_BENCH_ROUND ?? 5_000))
