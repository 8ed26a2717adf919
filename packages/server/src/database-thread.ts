/** The composition of a database thread: the same rules and the same queries as anywhere, beside the file. */
import { reads } from './app/reads.ts'
import { writes } from './app/writes.ts'
import { armKillPoint } from './kill-points.ts'
import { serveBatches } from './store/sqlite/thread.ts'

armKillPoint(process.env.COUNTERMAND_KILL_AT)
serveBatches({ reads, writes })
