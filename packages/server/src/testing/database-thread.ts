/** As `database-thread.ts`, with work that no use case does. */
import { serveBatches } from '../store/sqlite/thread.ts'
import { testReads, testWrites } from './works.ts'

serveBatches({ reads: testReads, writes: testWrites })
