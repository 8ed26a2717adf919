/** `npm run bench`: every published ratio, each against a baseline in the same run. */
import { startPostgres } from '../packages/server/src/testing/postgres.ts'
import { benchCancels } from './cancels.ts'
import { benchLastProcess } from './last-process.ts'
import { benchTransfers } from './transfers.ts'

const size = {
  actions: Number(process.env.COUNTERMAND_BENCH_ACTIONS ?? 120_000),
  perRound: Number(process.env.COUNTERMAND_BENCH_ROUND ?? 9_000),
}
await benchLastProcess()
await benchTransfers()
await benchCancels(size, null)
const postgres = await startPostgres()
try {
  await benchCancels(size, await postgres.freshDatabase())
} finally {
  await postgres.stop()
}
