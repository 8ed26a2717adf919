import { test } from 'vitest'
import { startPostgres } from './postgres.ts'
test('x', async () => {
  const a = Date.now()
  const pg = await startPostgres()
  const b = Date.now()
  console.log(await pg.freshDatabase())
  const c = Date.now()
  await pg.stop()
  console.log(b - a, c - b, Date.now() - c)
})
