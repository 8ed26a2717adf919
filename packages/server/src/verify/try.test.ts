import { test } from 'vitest'
import { openServer } from '../testing/server.ts'
import { Copy, faultsIn, reportsOn } from './testing/copies.ts'
import { openSqliteSnapshot } from './snapshot.ts'
import { live } from './testing/lives.ts'
import { linesOf } from './report.ts'
test('x', async () => {
  const t = performance.now()
  const server = await openServer({ databaseUrl: null })
  await live(server)
  console.log('lived', performance.now() - t)
  const copy = new Copy(server)
  console.log(copy.all('select chain, sequence, kind, substr(action_id,-4) a, statement is not null s from events').map(r => Object.values(r).join(' ')).join('\n'))
  const reports = await reportsOn(openSqliteSnapshot(copy.folder + '/countermand.db'), [])
  console.log(reports.flatMap(linesOf).join('\n'))
  copy.close()
  await server.close()
})
